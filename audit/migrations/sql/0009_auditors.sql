-- Functions of an index name nothing outside pg_catalog: ANALYZE, VACUUM and a restore look nowhere else, and without
-- ANALYZE the planner knows nothing of the log.

-- The kind of exception that an event is, or NULL. An event that fits several stands under the first. The type
-- is looked at before the body is read, so that other events cost next to nothing.
CREATE OR REPLACE FUNCTION audit_exception(p_type text, p_body bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    body jsonb;
    facts jsonb;
BEGIN
    CASE p_type
    WHEN 'switch.set', 'switch.lifted', 'agent.disabled', 'agent.enabled' THEN
        RETURN 'kill_switch';
    WHEN 'policy.published', 'policy.rolled_back', 'action.allowed', 'request.undone',
        'request.decided', 'request.voted' THEN
        body := convert_from(p_body, 'UTF8')::jsonb;
    ELSE
        RETURN NULL;
    END CASE;
    facts := coalesce(body -> 'facts', '{}');
    CASE p_type
    WHEN 'policy.published', 'policy.rolled_back' THEN
        RETURN CASE
            WHEN facts -> 'second_waived' = 'true' THEN 'second_waived'
            WHEN facts -> 'alone' = 'true' THEN 'self_published'
        END;
    WHEN 'action.allowed' THEN
        RETURN CASE WHEN starts_with(body #>> '{policy,rule}', 'sticky-') THEN 'sticky_used' END;
    WHEN 'request.undone' THEN
        RETURN CASE WHEN body #>> '{actor,kind}' = 'person' THEN 'approval_undone' END;
    ELSE
        IF body #>> '{actor,kind}' <> 'person' THEN
            RETURN NULL;
        END IF;
        RETURN CASE
            WHEN facts ->> 'kind' = 'in_doubt' THEN 'doubt_by_hand'
            WHEN facts ->> 'verdict' = 'edit' AND facts -> 'material' = 'true' THEN 'own_edit'
            WHEN facts ->> 'kind' = 'action' AND facts ->> 'verdict' IN ('approve', 'edit')
                AND body #>> '{action,risk}' IN ('high', 'critical')
                AND coalesce((facts ->> 'open_seconds')::bigint, 0) < 3 THEN 'decided_fast'
        END;
    END CASE;
END;
$$;

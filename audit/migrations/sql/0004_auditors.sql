-- What auditors work with: exceptions found by an index, legal holds, retention that keeps proofs.

-- The kind of exception that an event is, or NULL. An event that fits several stands under the first. The type
-- is looked at before the body is read, so that other events cost next to nothing.
CREATE FUNCTION audit_exception(p_type text, p_body bytea) RETURNS text
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
        body := audit_fields(p_body);
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

CREATE INDEX audit_event_exceptions ON audit_event (inserted_at DESC, id DESC)
    WHERE audit_exception(type, body) IS NOT NULL;
CREATE INDEX audit_event_exception_kind
    ON audit_event (audit_exception(type, body), inserted_at DESC, id DESC)
    WHERE audit_exception(type, body) IS NOT NULL;

-- What a partition held before its bodies were dropped: enough to follow every stream across the gap.
CREATE TABLE audit_retired (
    partition text PRIMARY KEY,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    events bigint NOT NULL,
    leaves_sha256 bytea NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_retired_span CHECK (since < until)
);
CREATE TABLE audit_retiredstream (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition_id text NOT NULL REFERENCES audit_retired (partition),
    stream text NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    prev bytea,
    head bytea NOT NULL,
    CONSTRAINT audit_retiredstream_counts CHECK (first_seq <= last_seq),
    CONSTRAINT audit_retiredstream_once UNIQUE (stream, first_seq)
);
CREATE INDEX audit_retiredstream_partition ON audit_retiredstream (partition_id);

-- How many leaves the log has of events of a span, and the digest over their hashes: of each 65,536 places in
-- their order, and over these, so that no value grows without bound.
CREATE FUNCTION audit_leaves_of(
    p_since timestamptz, p_until timestamptz, OUT leaves bigint, OUT leaves_sha256 bytea
) LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(sum(held), 0)::bigint, sha256(coalesce(string_agg(digest, '' ORDER BY block), ''))
    FROM (
        SELECT index >> 16 AS block, count(*) AS held, sha256(string_agg(leaf_hash, '' ORDER BY index)) AS digest
        FROM audit_leaf WHERE event_inserted_at >= p_since AND event_inserted_at < p_until
        GROUP BY 1
    ) AS blocks
$$;

-- Drops the bodies of one partition of months past, and keeps what proofs and streams need. For the owner alone:
-- the caller decides what is old enough and what is held, and records the dropping in the same transaction.
-- Whoever calls it, what is younger than six months stays, and so does a stream with a gap.
CREATE FUNCTION audit_retire(p_partition text, OUT events bigint, OUT leaves_sha256 bytea)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    month regclass := to_regclass(quote_ident(p_partition));
    bounds text;
    since timestamptz;
    until timestamptz;
BEGIN
    SELECT pg_get_expr(relpartbound, oid) INTO bounds FROM pg_class
        JOIN pg_inherits ON inhrelid = oid AND inhparent = 'audit_event'::regclass
        WHERE oid = month;
    IF bounds IS NULL OR bounds = 'DEFAULT' THEN
        RAISE EXCEPTION '% is no month of the audit log', p_partition;
    END IF;
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', month);
    since := substring(bounds FROM $re$FROM \('([^']+)'\)$re$)::timestamptz;
    until := substring(bounds FROM $re$TO \('([^']+)'\)$re$)::timestamptz;
    IF until IS NULL OR until > clock_timestamp() - interval '6 months' THEN
        RAISE EXCEPTION '% is younger than six months', p_partition;
    END IF;
    EXECUTE format('SELECT count(*) FROM %s', month) INTO events;
    SELECT found.leaves_sha256 INTO leaves_sha256 FROM audit_leaves_of(since, until) AS found
        WHERE found.leaves = events;
    IF leaves_sha256 IS NULL THEN
        RAISE EXCEPTION '% holds events that have no leaf of their own: they are not sealed', p_partition;
    END IF;
    INSERT INTO audit_retired (partition, since, until, events, leaves_sha256)
        VALUES (p_partition, since, until, events, leaves_sha256);
    EXECUTE format(
        'INSERT INTO audit_retiredstream (partition_id, stream, first_seq, last_seq, prev, head) '
        'SELECT %L, stream, min(seq), max(seq), (array_agg(prev ORDER BY seq))[1], '
        '(array_agg(leaf_hash ORDER BY seq DESC))[1] FROM %s '
        'GROUP BY stream, seq - number ORDER BY stream',
        p_partition,
        format('(SELECT *, row_number() OVER (PARTITION BY stream ORDER BY seq) AS number FROM %s) AS each',
            month));
    -- What the events kept apart goes with them.
    EXECUTE format('DELETE FROM audit_disclosure WHERE event IN (SELECT id FROM %s)', month);
    EXECUTE format('ALTER TABLE audit_event DETACH PARTITION %s', month);
    EXECUTE format('DROP TABLE %s', month);
END;
$$;
REVOKE ALL ON FUNCTION audit_retire(text) FROM PUBLIC;

CREATE TRIGGER audit_retired_append_only BEFORE UPDATE OR DELETE ON audit_retired
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_retiredstream_append_only BEFORE UPDATE OR DELETE ON audit_retiredstream
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
ALTER TABLE audit_retired ENABLE ALWAYS TRIGGER audit_retired_append_only;
ALTER TABLE audit_retiredstream ENABLE ALWAYS TRIGGER audit_retiredstream_append_only;

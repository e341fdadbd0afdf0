-- The last line: what the log refuses whoever asks, and the one way in.

CREATE FUNCTION audit_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END;
$$;

-- Extends the event's stream, or refuses an event that does not continue it. It runs as the owner: the
-- application's login can advance a stream in no other way.
CREATE FUNCTION audit_extend_stream() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE audit_stream SET seq = NEW.seq, head = NEW.leaf_hash
        WHERE name = NEW.stream AND seq = NEW.seq - 1 AND head IS NOT DISTINCT FROM NEW.prev;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'event % does not continue the stream %', NEW.seq, NEW.stream
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO audit_pending (event, inserted_at, leaf_hash)
        VALUES (NEW.id, NEW.inserted_at, NEW.leaf_hash);
    RETURN NULL;
END;
$$;

-- Row triggers are cloned to every partition, present and future.
CREATE TRIGGER audit_event_extends_stream AFTER INSERT ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_extend_stream();
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_event_never_truncated BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- A stream's head moves only from within the event's own trigger.
CREATE TRIGGER audit_stream_head_moves_with_events BEFORE UPDATE ON audit_stream
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_stream_starts_empty BEFORE INSERT ON audit_stream
    FOR EACH ROW WHEN (NEW.seq <> 0) EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_stream_stays BEFORE DELETE ON audit_stream
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_stream_never_truncated BEFORE TRUNCATE ON audit_stream
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
ALTER TABLE audit_stream ENABLE ALWAYS TRIGGER audit_stream_head_moves_with_events;
ALTER TABLE audit_stream ENABLE ALWAYS TRIGGER audit_stream_starts_empty;
ALTER TABLE audit_stream ENABLE ALWAYS TRIGGER audit_stream_stays;
ALTER TABLE audit_stream ENABLE ALWAYS TRIGGER audit_stream_never_truncated;

-- Statement triggers are not cloned, and default privileges would open a new partition to the application:
-- every partition gets its own trigger and loses every grant.
CREATE FUNCTION audit_protect_partition(p_table regclass) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    grantee text;
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgrelid = p_table AND tgname = 'audit_event_never_truncated'
    ) THEN
        EXECUTE format(
            'CREATE TRIGGER audit_event_never_truncated BEFORE TRUNCATE ON %s '
            'FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()', p_table);
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audit_event_extends_stream', p_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audit_event_append_only', p_table);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER audit_event_never_truncated', p_table);
    FOR grantee IN
        SELECT DISTINCT CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END
        FROM pg_class, aclexplode(relacl) AS acl
        WHERE pg_class.oid = p_table AND acl.grantee <> relowner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', p_table, grantee);
    END LOOP;
END;
$$;

-- Makes this month's partition and those of the next months; answers with the names of the new ones. A month
-- whose first events already lie in the default partition stays there: no event is ever moved. The lock
-- is given up soon, so that writers never queue behind it; the caller tries again later.
CREATE FUNCTION audit_make_partitions(p_ahead integer) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    made text[] := '{}';
    first_month timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    month_start timestamptz;
    month_end timestamptz;
    partition text;
    taken boolean;
BEGIN
    IF p_ahead NOT BETWEEN 0 AND 36 THEN
        RAISE EXCEPTION 'partitions can be made 0 to 36 months ahead, not %', p_ahead;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_make_partitions'));
    FOR month IN 0..p_ahead LOOP
        month_start := (first_month + make_interval(months => month)) AT TIME ZONE 'UTC';
        month_end := (first_month + make_interval(months => month + 1)) AT TIME ZONE 'UTC';
        partition := 'audit_event_' || to_char(month_start AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        SELECT EXISTS (
            SELECT FROM audit_event_default WHERE inserted_at >= month_start AND inserted_at < month_end
        ) INTO taken;
        CONTINUE WHEN taken;
        EXECUTE format('CREATE TABLE %I PARTITION OF audit_event FOR VALUES FROM (%L) TO (%L)',
            partition, month_start, month_end);
        PERFORM audit_protect_partition(partition::regclass);
        made := made || partition;
    END LOOP;
    RETURN made;
END;
$$;

-- The one way in. The caller hands over the canonical body in the four pieces that surround what only the
-- database knows: the previous leaf hash, the number in the stream, and the time. The stream's row is locked
-- until the transaction ends.
CREATE FUNCTION audit_append(
    p_stream text, p_event uuid,
    p_until_prev bytea, p_until_seq bytea, p_until_time bytea, p_rest bytea,
    p_digests text[], p_names text[], p_keys uuid[], p_ciphertexts bytea[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    last_seq bigint;
    last_hash bytea;
BEGIN
    SELECT seq, head INTO last_seq, last_hash FROM audit_stream WHERE name = p_stream FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO audit_stream (name) VALUES (p_stream) ON CONFLICT DO NOTHING;
        SELECT seq, head INTO STRICT last_seq, last_hash
            FROM audit_stream WHERE name = p_stream FOR UPDATE;
    END IF;
    INSERT INTO audit_event (body) VALUES (
        p_until_prev
        || convert_to(coalesce('"sha256:' || encode(last_hash, 'hex') || '"', 'null'), 'UTF8')
        || p_until_seq
        || convert_to((last_seq + 1)::text, 'UTF8')
        || p_until_time
        || convert_to(
            to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'UTF8')
        || p_rest
    );
    IF cardinality(p_digests) > 0 THEN
        INSERT INTO audit_disclosure (digest, event, name, key_id, ciphertext)
            SELECT digest, p_event, name, key_id, ciphertext
            FROM unnest(p_digests, p_names, p_keys, p_ciphertexts)
                AS given (digest, name, key_id, ciphertext);
    END IF;
END;
$$;

ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_extends_stream;
ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_append_only;
ALTER TABLE audit_event ENABLE ALWAYS TRIGGER audit_event_never_truncated;
SELECT audit_protect_partition('audit_event_default');
SELECT audit_make_partitions(3);

REVOKE ALL ON FUNCTION audit_append(
    text, uuid, bytea, bytea, bytea, bytea, text[], text[], uuid[], bytea[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit_make_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit_protect_partition(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION audit_extend_stream() FROM PUBLIC;

-- The sealed log: leaves in their final order, the tree over them in tiles, checkpoints, and who signs them.

-- The order in which events were written, which no clock that is set back can change. Numbers are not dense
-- and not those of the log: a transaction that commits late keeps a small one and is sealed late.
ALTER TABLE audit_pending ADD COLUMN place bigint GENERATED ALWAYS AS IDENTITY;
CREATE INDEX audit_pending_place ON audit_pending (place);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin text NOT NULL UNIQUE,
    first_size bigint NOT NULL,
    former text NOT NULL DEFAULT '',
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT audit_log_first_size CHECK (first_size >= 0)
);

CREATE TABLE audit_logkey (
    verifier text PRIMARY KEY,
    log_id bigint NOT NULL REFERENCES audit_log (id),
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    added_size bigint NOT NULL,
    retired_at timestamptz,
    retired_size bigint,
    CONSTRAINT audit_logkey_retired_as_a_whole CHECK ((retired_at IS NULL) = (retired_size IS NULL))
);
CREATE INDEX audit_logkey_log ON audit_logkey (log_id);

CREATE TABLE audit_leaf (
    index bigint PRIMARY KEY,
    event uuid NOT NULL UNIQUE,
    event_inserted_at timestamptz NOT NULL,
    leaf_hash bytea NOT NULL,
    CONSTRAINT audit_leaf_hash_length CHECK (octet_length(leaf_hash) = 32),
    CONSTRAINT audit_leaf_index_from_zero CHECK (index >= 0)
);

-- 256 hashes a tile (C2SP tlog-tiles); hashes cannot be compressed, so nobody tries.
CREATE TABLE audit_tile (
    level smallint NOT NULL,
    n bigint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (level, n),
    CONSTRAINT audit_tile_size
        CHECK (octet_length(data) BETWEEN 32 AND 8192 AND octet_length(data) % 32 = 0)
);
ALTER TABLE audit_tile ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE audit_treestate (
    id smallint PRIMARY KEY,
    size bigint NOT NULL,
    root bytea NOT NULL,
    sealed_at timestamptz,
    halted_at timestamptz,
    halted_because text NOT NULL DEFAULT '',
    trouble text NOT NULL DEFAULT '',
    CONSTRAINT audit_treestate_is_one CHECK (id = 1)
);
INSERT INTO audit_treestate (id, size, root) VALUES (1, 0, sha256(''));

CREATE TABLE audit_checkpoint (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    log_id bigint NOT NULL REFERENCES audit_log (id),
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER audit_leaf_append_only BEFORE UPDATE OR DELETE ON audit_leaf
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_checkpoint_append_only BEFORE UPDATE OR DELETE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();

-- A tile only grows at its end, and only until it is full.
CREATE TRIGGER audit_tile_grows BEFORE UPDATE ON audit_tile
    FOR EACH ROW WHEN (
        (NEW.level, NEW.n) <> (OLD.level, OLD.n)
        OR octet_length(NEW.data) < octet_length(OLD.data)
        OR substr(NEW.data, 1, octet_length(OLD.data)) <> OLD.data
    ) EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_tile_stays BEFORE DELETE ON audit_tile
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();

CREATE TRIGGER audit_treestate_grows BEFORE UPDATE ON audit_treestate
    FOR EACH ROW WHEN (
        NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
    ) EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_treestate_stays BEFORE DELETE ON audit_treestate
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();

-- A key is retired once; nothing else of it changes.
CREATE TRIGGER audit_logkey_retires BEFORE UPDATE ON audit_logkey
    FOR EACH ROW WHEN (
        (NEW.verifier, NEW.log_id, NEW.added_at, NEW.added_size)
            IS DISTINCT FROM (OLD.verifier, OLD.log_id, OLD.added_at, OLD.added_size)
        OR OLD.retired_at IS NOT NULL
    ) EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_logkey_stays BEFORE DELETE ON audit_logkey
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();

DO $$
DECLARE
    sealed text;
    guard record;
BEGIN
    FOREACH sealed IN ARRAY ARRAY[
        'audit_leaf', 'audit_tile', 'audit_treestate', 'audit_checkpoint', 'audit_log', 'audit_logkey']
    LOOP
        EXECUTE format(
            'CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()',
            sealed || '_never_truncated', sealed);
        FOR guard IN
            SELECT tgname FROM pg_trigger WHERE tgrelid = sealed::regclass AND NOT tgisinternal
        LOOP
            EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', sealed, guard.tgname);
        END LOOP;
    END LOOP;
END;
$$;

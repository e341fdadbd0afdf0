-- The log's tables. The database derives every searchable column of an event from its body, so that
-- columns and body cannot disagree, and it computes the leaf hash itself (RFC 6962, section 2.1).

-- make_timestamp and AT TIME ZONE are immutable where a cast from text is not: the format of an event's
-- time is fixed (YYYY-MM-DDThh:mm:ss.ffffffZ), so no setting of the session takes part.
CREATE FUNCTION audit_moment(p_text text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN make_timestamp(
    substr(p_text, 1, 4)::int, substr(p_text, 6, 2)::int, substr(p_text, 9, 2)::int,
    substr(p_text, 12, 2)::int, substr(p_text, 15, 2)::int, substr(p_text, 18, 9)::double precision
) AT TIME ZONE 'UTC';

-- Immutable in truth though convert_from is not marked so: the only conversion is from UTF-8.
CREATE FUNCTION audit_fields(p_body bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN convert_from(p_body, 'UTF8')::jsonb;
END;
$$;

CREATE TABLE audit_event (
    body bytea NOT NULL
        CONSTRAINT audit_event_body_size CHECK (octet_length(body) <= 60000),
    leaf_hash bytea NOT NULL GENERATED ALWAYS AS (sha256('\x00'::bytea || body)) STORED,
    id uuid NOT NULL GENERATED ALWAYS AS ((audit_fields(body) ->> 'id')::uuid) STORED,
    stream text NOT NULL GENERATED ALWAYS AS (audit_fields(body) ->> 'stream') STORED,
    seq bigint NOT NULL GENERATED ALWAYS AS ((audit_fields(body) ->> 'seq')::bigint) STORED,
    prev bytea GENERATED ALWAYS AS (decode(substr(audit_fields(body) ->> 'prev', 8), 'hex')) STORED,
    type text NOT NULL GENERATED ALWAYS AS (audit_fields(body) ->> 'type') STORED,
    actor_kind text NOT NULL GENERATED ALWAYS AS (audit_fields(body) #>> '{actor,kind}') STORED,
    actor_id text NOT NULL GENERATED ALWAYS AS (audit_fields(body) #>> '{actor,id}') STORED,
    agent text GENERATED ALWAYS AS (audit_fields(body) #>> '{agent,slug}') STORED,
    run uuid GENERATED ALWAYS AS ((audit_fields(body) #>> '{agent,run}')::uuid) STORED,
    request uuid GENERATED ALWAYS AS ((audit_fields(body) ->> 'request')::uuid) STORED,
    tool text GENERATED ALWAYS AS (audit_fields(body) #>> '{action,tool}') STORED,
    occurred_at timestamptz NOT NULL GENERATED ALWAYS AS (audit_moment(audit_fields(body) ->> 'time')) STORED,
    inserted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, inserted_at)
) PARTITION BY RANGE (inserted_at);

-- One index a filter of the auditor's page, each in the page's order, so that a page is one index scan.
CREATE INDEX audit_event_newest ON audit_event (inserted_at DESC, id DESC);
CREATE INDEX audit_event_type ON audit_event (type, inserted_at DESC, id DESC);
CREATE INDEX audit_event_actor ON audit_event (actor_kind, actor_id, inserted_at DESC, id DESC);
CREATE INDEX audit_event_agent ON audit_event (agent, inserted_at DESC, id DESC) WHERE agent IS NOT NULL;
CREATE INDEX audit_event_run ON audit_event (run, inserted_at DESC, id DESC) WHERE run IS NOT NULL;
CREATE INDEX audit_event_request ON audit_event (request, inserted_at DESC, id DESC)
    WHERE request IS NOT NULL;
CREATE INDEX audit_event_tool ON audit_event (tool, inserted_at DESC, id DESC) WHERE tool IS NOT NULL;
CREATE INDEX audit_event_stream ON audit_event (stream, seq);

CREATE TABLE audit_event_default PARTITION OF audit_event DEFAULT;

-- Each event updates its stream's row in place: room on the page keeps these updates off the index.
CREATE TABLE audit_stream (
    name text PRIMARY KEY,
    seq bigint NOT NULL DEFAULT 0,
    head bytea,
    CONSTRAINT audit_stream_head_fits CHECK ((seq = 0) = (head IS NULL) AND seq >= 0)
) WITH (fillfactor = 50);

-- What the sealer has not taken yet.
CREATE TABLE audit_pending (
    event uuid PRIMARY KEY,
    inserted_at timestamptz NOT NULL,
    leaf_hash bytea NOT NULL
);

-- A subject may have several keys: two writers that meet a new subject at the same time each make one and
-- neither waits for the other. Erasing the subject deletes them all.
CREATE TABLE audit_subjectkey (
    id uuid PRIMARY KEY,
    subject text NOT NULL,
    wrapped bytea NOT NULL,
    wrapped_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_subjectkey_subject ON audit_subjectkey (subject, created_at, id);

CREATE TABLE audit_disclosure (
    digest text PRIMARY KEY,
    event uuid NOT NULL,
    name text NOT NULL,
    key_id uuid NOT NULL REFERENCES audit_subjectkey (id) ON DELETE CASCADE,
    ciphertext bytea NOT NULL
);
CREATE INDEX audit_disclosure_event ON audit_disclosure (event);
CREATE INDEX audit_disclosure_key ON audit_disclosure (key_id);

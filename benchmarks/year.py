"""A year of a large house in SQL: agents and versions, runs with journals, requests, looks and votes.

Rows are made from their number alone, so they are the same each time but for their ids and the moment of now. Indexes
and foreign keys are taken away for the filling and made again after it, as a restored dump makes them: each row finding
its place in a dozen indexes is most of the work otherwise. Of what the pages of insights and their lists read, none is
left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

AGENTS: Final = 8
VERSIONS: Final = 3
DAYS: Final = 365
AT_ONCE: Final = 100_000
FILLED: Final = (
    *("agents_run", "agents_step", "approvals_approvalrequest", "approvals_listing"),
    *("approvals_vote", "approvals_viewing"),
)
_VERSIONS: Final = """
INSERT INTO agents_agentversion (digest, slug, definition, first_seen_at)
SELECT 'sha256:' || encode(sha256((agent || ' ' || version)::bytea), 'hex'), 'agent-' || agent,
       jsonb_build_object('slug', 'agent-' || agent, 'category', (ARRAY['workflow', 'bounded', 'open'])[agent %% 3 + 1],
           'tools', jsonb_build_array(
               jsonb_build_object('name', 'read_order', 'schema', '{"properties": {"order": {}}}'::jsonb),
               jsonb_build_object('name', 'issue_refund', 'schema', '{"properties": {"amount": {}}}'::jsonb),
               jsonb_build_object('name', 'send_mail', 'schema', '{"properties": {"to": {}}}'::jsonb))),
       now() - interval '1 year'
  FROM generate_series(1, %(agents)s::integer) AS agent, generate_series(1, %(versions)s::integer) AS version
"""
_AGENTS: Final = """
INSERT INTO agents_hostedagent (slug, title, category, owner_group_id, limits)
SELECT 'agent-' || agent, 'Agent ' || agent, 'bounded', %(group)s, '{}'
  FROM generate_series(1, %(agents)s::integer) AS agent
"""
# What the rows of a run have in common. Versions follow each other over the year; two in a hundred runs are open, half
# of these since a person is asked, and eight do not succeed. Every third proposes what is reviewed.
_MADE: Final = """
CREATE TEMPORARY TABLE made AS
SELECT number, uuidv7(began - now()) AS run_id, agent.id AS agent_id, agent.slug, agent.title, version.id AS version_id,
       version.digest, began, state, outcome,
       CASE WHEN state NOT IN ('queued', 'waiting') THEN least(began + took, now()) END AS ended,
       (ARRAY['read_order', 'issue_refund', 'send_mail'])[number %% 3 + 1] AS tool,
       CASE WHEN number %% 3 = 1 OR state = 'waiting' THEN uuidv7(began - now()) END AS request_id,
       (3 + number * 31 %% 997 %% 20)::integer AS steps, (number * 31 %% 991 %% 3)::integer AS risk
  FROM (SELECT number, now() - interval '1 day' * %(days)s * (1 - number::float / %(runs)s) AS began,
               interval '1 second' * (1 + (number * 7919) %% 90000) AS took,
               CASE WHEN number %% 100 = 0 THEN 'waiting' WHEN number %% 50 = 0 THEN 'queued'
                    WHEN number %% 25 < 2 THEN 'cancelled' ELSE 'succeeded' END AS state,
               CASE WHEN number %% 50 = 0 THEN '' WHEN number %% 25 < 2 THEN 'stopped' ELSE 'done' END AS outcome
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number) AS each
  JOIN agents_hostedagent AS agent ON agent.slug = 'agent-' || (number * 31 %% 1009 %% %(agents)s + 1)
  JOIN (SELECT id, slug, digest, row_number() OVER (PARTITION BY slug ORDER BY id) - 1 AS place
          FROM agents_agentversion) AS version
    ON version.slug = agent.slug AND version.place = number * %(versions)s / (%(runs)s + 1)
 ORDER BY number
"""
_RUNS: Final = """
INSERT INTO agents_run (id, agent_id, agent_version_id, initiator_id, input, input_digest, title, state, outcome,
       lease_owner, tainted, tainted_by, extra_caps, epoch, wake_seq, sleeps, stalled_claims, depth, unheard, goal,
       version, step_count, model_calls, tool_calls, tokens_in, tokens_out, cost_micros, created_at, started_at,
       finished_at, waited_seconds)
SELECT run_id, agent_id, version_id, %(person)s, '{}', 'sha256:', 'A task', state, outcome,
       '', FALSE, '[]', '{}', 1, 1, 0, 0, 0, FALSE, '', 1, steps, 1, 1, 900, 90, 0, began, began, ended,
       coalesce(extract(epoch FROM ended - began) / 2, 0)
  FROM made
"""
_STEPS: Final = """
INSERT INTO agents_step (id, run_id, seq, schema, kind, name, call_id, input_digest, state, rationale, state_token,
       problem, attempts, model, tokens_in, tokens_out, epoch, started_at, finished_at, cost_micros, judgement,
       approval_id, resolution, locks, stopped)
SELECT uuidv7(began - now()), run_id, seq, 2, CASE seq WHEN 1 THEN 'model' WHEN 3 THEN 'final' ELSE 'tool' END,
       CASE seq WHEN 2 THEN tool ELSE '' END, '', '',
       CASE WHEN seq = 2 AND ended IS NULL AND request_id IS NOT NULL THEN 'waiting'
            WHEN seq = 2 AND number %% 17 = 0 THEN 'failed' ELSE 'succeeded' END, '', '',
       CASE WHEN seq = 2 AND number %% 17 = 0 AND ended IS NOT NULL THEN 'timed_out' ELSE '' END,
       CASE WHEN number %% 11 = 0 THEN '[{}]'::jsonb ELSE '[]'::jsonb END, '', 900, 90, 1,
       began, began, CASE seq WHEN 1 THEN 4200 END,
       CASE seq WHEN 2 THEN jsonb_build_object('verdict', jsonb_build_object('outcome',
           CASE WHEN request_id IS NOT NULL THEN 'review' ELSE 'allow' END)) END,
       CASE WHEN seq = 2 THEN request_id END,
       CASE WHEN seq = 2 AND request_id IS NOT NULL AND ended IS NOT NULL THEN
           '{"kind": "approved", "edited": false, "by_id": "1", "data": {}}'::jsonb END, '[]', FALSE
  FROM made, generate_series(1, 3) AS seq
 WHERE seq < 3 OR ended IS NOT NULL
"""
_REQUESTS: Final = """
INSERT INTO approvals_approvalrequest (id, kind, state, version, revision, run_id, agent, agent_title, agent_version,
       title, tool, tool_version, arguments, digest, schema, sensitive, cosmetic, withheld, preview, risk, risk_rank,
       effects, reversible, score_source, score_version, signals, score_notes, score_visible, is_sample, route,
       rationale, evidence, tainted, tainted_by, reasons, requirements, policy_version, policy_sha256, rule,
       shown_sha256, extended_hours, escalation_level, undo_seconds, created_at, decided_at, decided_by_id, ready_at,
       review_deadline, resolution, feedback, checked_version, owner_group_id)
SELECT request_id, 'action', CASE WHEN ended IS NULL THEN 'pending' ELSE 'consumed' END, 1, 1, run_id, slug, title,
       digest, 'A request', tool, '', '{}', %(sha)s, '{}', '[]', '[]', '[]', '{"title": "A request"}',
       (ARRAY['low', 'medium', 'high'])[risk + 1], risk, '[]', TRUE,
       '', '', '{}', '{}', TRUE, FALSE, '', '', '[]', FALSE, '[]', '[]', '{}', 1, '', '', %(sha)s, 0, 0, 0,
       began, began + (ended - began) / 2, CASE WHEN ended IS NOT NULL THEN %(person)s END, ended,
       began + interval '1 day', CASE WHEN ended IS NOT NULL THEN
           '{"kind": "approved", "data": {"edited": false}}'::jsonb END, '', 1, %(group)s
  FROM made WHERE request_id IS NOT NULL
"""
_LISTED: Final = """
INSERT INTO approvals_listing (request_id, reader, closed_at, risk_rank, agent, tool, kind)
SELECT request_id, reader, began + (ended - began) / 2, risk, slug, tool, 'action'
  FROM made, unnest(ARRAY[%(group)s, -%(person)s]::bigint[]) AS reader
 WHERE request_id IS NOT NULL AND (ended IS NOT NULL OR reader > 0)
"""
_VIEWED: Final = """
INSERT INTO approvals_viewing (request_id, revision, user_id, opened_at)
SELECT request_id, 1, %(person)s, began + (ended - began) / 2 - interval '4 seconds' FROM made
 WHERE request_id IS NOT NULL AND ended IS NOT NULL
"""
_VOTES: Final = """
INSERT INTO approvals_vote (id, request_id, revision, user_id, auth, verdict, nonce, body_sha256, digest, shown_sha256,
       reason, groups, on_behalf_of, counts, answer, material, score_visible, opened_at, active_seconds, created_at)
SELECT uuidv7(began - now()), request_id, 1, %(person)s, 'session', 'approve', request_id::text, '', %(sha)s, %(sha)s,
       '', '[]', '[]', TRUE, '{}', FALSE, TRUE, began + (ended - began) / 2 - interval '4 seconds', 4,
       began + (ended - began) / 2
  FROM made WHERE request_id IS NOT NULL AND ended IS NOT NULL
"""
_ROWS: Final = (_RUNS, _STEPS, _REQUESTS, _LISTED, _VIEWED, _VOTES)
_KEYS: Final = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
 WHERE contype = 'f' AND conrelid = ANY(%s::regclass[]) ORDER BY 1, 2
"""
_INDEXES: Final = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid = ANY(%s::regclass[])
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) ORDER BY 1
"""


def fill(owner: psycopg.Connection[Any], runs: int, *, group: int, person: int) -> None:
    """So many runs over `DAYS` days up to now, of agents that `group` owns; `person` starts and decides them.

    The connection is the owner's of the tables, with each statement a transaction.
    """
    given = {
        "agents": AGENTS,
        "versions": VERSIONS,
        "days": DAYS,
        "runs": runs,
        "group": group,
        "person": person,
        "sha": "sha256:" + "0" * 64,
    }
    owner.execute("SET synchronous_commit = off")
    owner.execute("SET maintenance_work_mem = '256MB'")
    owner.execute(_VERSIONS, given)
    owner.execute(_AGENTS, given)
    with _bare(owner):
        for first in range(1, runs + 1, AT_ONCE):
            last = min(runs, first + AT_ONCE - 1)
            owner.execute(_MADE, {**given, "first": first, "last": last})
            for statement in _ROWS:
                owner.execute(statement, given)
            owner.execute("DROP TABLE made")
            print(f"{last:,} runs", file=sys.stderr, flush=True)
    # As autovacuum leaves them.
    for table in FILLED:
        owner.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))
    owner.execute("ANALYZE")


@contextmanager
def _bare(owner: psycopg.Connection[Any]) -> Iterator[None]:
    """The tables without foreign keys, triggers and all indexes but those of their own keys; made again afterwards,
    where every row is checked once more."""
    tables = list(FILLED)
    keys = owner.execute(_KEYS, [tables]).fetchall()
    indexes = owner.execute(_INDEXES, [tables]).fetchall()
    for table, name, _ in keys:
        owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        owner.execute(f"DROP INDEX {name}")
    for table in tables:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    for _, definition in indexes:
        owner.execute(definition)
    for table, name, definition in keys:
        owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for table in tables:
        owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

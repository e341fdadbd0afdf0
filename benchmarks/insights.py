"""Insights over the history of a large house: how fast it is gathered and summed, and how long the page takes.

`python -m benchmarks.insights --runs 1000000` starts PostgreSQL and Redis, writes a year of runs, journals, requests,
looks and votes with SQL, has the product count all of it, ends a few more runs and counts those, and opens the page in
this process as its readers do. Times are of the processor where they say so: of this process and of PostgreSQL's.
JSON goes to `benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import django
import psutil
import psycopg

from benchmarks import product
from benchmarks.figures import summary
from countersign.programs import PROJECT

RESULTS = PROJECT / "benchmarks" / "results"
AGENTS, VERSIONS, DAYS = 8, 3, 365
LOOKS = ("day", "week", "month", "quarter", "year")
_VERSIONS = """
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
_AGENTS = """
INSERT INTO agents_hostedagent (slug, title, category, owner_group_id, limits)
SELECT 'agent-' || agent, 'Agent ' || agent, 'bounded', %(group)s, '{}'
  FROM generate_series(1, %(agents)s::integer) AS agent
"""
# Versions follow each other over the year; two in a hundred runs are open, eight do not succeed.
_RUNS = """
INSERT INTO agents_run (id, agent_id, agent_version_id, initiator_id, input, input_digest, title, state, outcome,
       lease_owner, tainted, tainted_by, extra_caps, epoch, wake_seq, sleeps, stalled_claims, depth, unheard, goal,
       version, step_count, model_calls, tool_calls, tokens_in, tokens_out, cost_micros, created_at, started_at,
       finished_at, waited_seconds)
SELECT gen_random_uuid(), agent.id, version.id, %(person)s, '{}', 'sha256:', 'A task', made.state, made.outcome,
       '', FALSE, '[]', '{}', 1, 1, 0, 0, 0, FALSE, '', 1, 3 + made.number %% 20, 1, 1, 900, 90, 0, made.began,
       made.began,
       CASE WHEN made.state <> 'queued' THEN made.began + made.took END, extract(epoch FROM made.took) / 2
  FROM (SELECT number, now() - interval '1 day' * %(days)s * (1 - number::float / %(runs)s) AS began,
               interval '1 second' * (1 + (number * 7919) %% 90000) AS took,
               CASE WHEN number %% 50 = 0 THEN 'queued' WHEN number %% 25 < 2 THEN 'cancelled' ELSE 'succeeded' END
                   AS state,
               CASE WHEN number %% 50 = 0 THEN '' WHEN number %% 25 < 2 THEN 'stopped' ELSE 'done' END AS outcome
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number) AS made
  JOIN agents_hostedagent AS agent ON agent.slug = 'agent-' || (made.number %% %(agents)s + 1)
  JOIN LATERAL (SELECT id FROM agents_agentversion WHERE slug = agent.slug ORDER BY id
                OFFSET made.number * %(versions)s / (%(runs)s + 1) LIMIT 1) AS version ON TRUE
"""
_STEPS = """
INSERT INTO agents_step (id, run_id, seq, schema, kind, name, call_id, input_digest, state, rationale, state_token,
       problem, attempts, model, tokens_in, tokens_out, epoch, started_at, finished_at, cost_micros, judgement,
       approval_id, resolution, locks, stopped)
SELECT gen_random_uuid(), run.id, seq, 2, CASE seq WHEN 1 THEN 'model' WHEN 3 THEN 'final' ELSE 'tool' END,
       CASE seq WHEN 2 THEN (ARRAY['read_order', 'issue_refund', 'send_mail'])[run.place %% 3 + 1] ELSE '' END, '', '',
       CASE WHEN seq = 2 AND run.place %% 17 = 0 THEN 'failed' ELSE 'succeeded' END, '', '',
       CASE WHEN seq = 2 AND run.place %% 17 = 0 THEN 'timed_out' ELSE '' END,
       CASE WHEN run.place %% 11 = 0 THEN '[{}]'::jsonb ELSE '[]'::jsonb END, '', 900, 90, 1,
       run.created_at, run.created_at, CASE seq WHEN 1 THEN 4200 END,
       CASE seq WHEN 2 THEN jsonb_build_object('verdict', jsonb_build_object('outcome',
           CASE WHEN run.place %% 3 = 1 THEN 'review' ELSE 'allow' END)) END,
       CASE WHEN seq = 2 AND run.place %% 3 = 1 THEN gen_random_uuid() END,
       CASE WHEN seq = 2 AND run.place %% 3 = 1 THEN
           '{"kind": "approved", "edited": false, "by_id": "1", "data": {}}'::jsonb END, '[]', FALSE
  FROM (SELECT *, row_number() OVER (ORDER BY created_at) AS place FROM agents_run
         WHERE created_at >= %(from)s AND created_at < %(to)s) AS run, generate_series(1, 3) AS seq
"""
_REQUESTS = """
INSERT INTO approvals_approvalrequest (id, kind, state, version, revision, run_id, agent, agent_title, agent_version,
       title, tool, tool_version, arguments, digest, schema, sensitive, cosmetic, withheld, preview, risk, risk_rank,
       effects, reversible, score_source, score_version, signals, score_notes, score_visible, is_sample, route,
       rationale, evidence, tainted, tainted_by, reasons, requirements, policy_version, policy_sha256, rule,
       shown_sha256, extended_hours, escalation_level, undo_seconds, created_at, decided_at, decided_by_id, ready_at,
       review_deadline, resolution, feedback, checked_version)
SELECT step.approval_id, 'action', 'consumed', 1, 1, run.id, agent.slug, agent.title, version.digest, 'A request',
       step.name, '', '{}', %(sha)s, '{}', '[]', '[]', '[]', '{"title": "A request"}', risk.name, risk.rank, '[]', TRUE,
       '', '', '{}', '{}', TRUE, FALSE, '', '', '[]', FALSE, '[]', '[]', '{}', 1, '', '', %(sha)s, 0, 0, 0,
       run.created_at, run.created_at + (run.finished_at - run.created_at) / 2, %(person)s, run.finished_at,
       run.created_at + interval '1 day', '{"kind": "approved", "data": {"edited": false}}', '', 1
  FROM agents_step AS step JOIN agents_run AS run ON run.id = step.run_id
  JOIN agents_hostedagent AS agent ON agent.id = run.agent_id
  JOIN agents_agentversion AS version ON version.id = run.agent_version_id
  JOIN (VALUES ('low', 0), ('medium', 1), ('high', 2)) AS risk (name, rank) ON risk.rank = run.step_count %% 3
 WHERE step.approval_id IS NOT NULL AND run.finished_at IS NOT NULL
"""
_VOTES = """
INSERT INTO approvals_vote (id, request_id, revision, user_id, auth, verdict, nonce, body_sha256, digest, shown_sha256,
       reason, groups, on_behalf_of, counts, answer, material, score_visible, opened_at, active_seconds, created_at)
SELECT gen_random_uuid(), id, 1, %(person)s, 'session', 'approve', id::text, '', %(sha)s, %(sha)s, '', '[]', '[]', TRUE,
       '{}', FALSE, TRUE, decided_at - interval '4 seconds', 4, decided_at
  FROM approvals_approvalrequest WHERE decided_at IS NOT NULL
"""
_VIEWINGS = """
INSERT INTO approvals_viewing (request_id, revision, user_id, opened_at)
SELECT id, 1, %(person)s, decided_at - interval '4 seconds' FROM approvals_approvalrequest WHERE decided_at IS NOT NULL
"""


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.insights", description=__doc__)
    add = parser.add_argument
    add("--runs", type=int, default=1_000_000)
    add("--looks", type=int, default=30, help="how often each page is opened")
    add("--into", type=Path, help="where the JSON goes")
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=2) / 100
    with (
        tempfile.TemporaryDirectory(prefix="countersign-insights-") as folder,
        product.model(),
        product.services(Path(folder)),
    ):
        django.setup()
        figures: dict[str, Any] = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "runs": options.runs,
            "cores": os.cpu_count(),
            "busy_before": busy,
            "fill_seconds": _fill(options.runs),
            **_counted(),
            "pages": _pages(options.looks),
        }
    RESULTS.mkdir(exist_ok=True)
    path = options.into or RESULTS / f"insights-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print("\n".join(lines(figures)))
    return 0


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as a table."""
    yield f"{figures['runs']:,} runs over a year"
    yield "from nothing: {all_seconds:.0f} s, {all_processor:.0f} s of this process".format(
        **figures
    )
    yield "nothing new: {idle_ms:.0f} ms, {idle_processor_ms:.0f} ms of this process".format(
        **figures
    )
    yield f"rows of sums: {figures['figures']:,}"
    for name, one in figures["pages"].items():
        yield (
            f"{name:12} p50 {one['p50_ms']:6.1f} ms  p95 {one['p95_ms']:6.1f} ms"
            f"  processor {one['processor_ms']:6.1f} ms  {one['statements']} statements"
        )


def _fill(runs: int) -> float:
    """A year of history; seconds that it took."""
    from accounts.models import ReviewGroup
    from countersign.testing.people import person

    began = perf_counter()
    group, _ = ReviewGroup.objects.get_or_create(slug="benchmark", defaults={"title": "Benchmark"})
    who = person("admin", "admin")
    given = {
        "agents": AGENTS,
        "versions": VERSIONS,
        "days": DAYS,
        "runs": runs,
        "group": group.pk,
        "person": who.pk,
        "sha": "sha256:" + "0" * 64,
    }
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(_VERSIONS, given)
        owner.execute(_AGENTS, given)
        for first in range(1, runs + 1, 100_000):
            owner.execute(_RUNS, {**given, "first": first, "last": min(runs, first + 99_999)})
            print(f"{first + 99_999:,} runs", file=sys.stderr)
        bounds = "SELECT min(created_at), max(created_at) FROM agents_run"
        low, high = owner.execute(bounds).fetchone() or (None, None)
        span = (high - low) / 10
        for part in range(11):
            owner.execute(_STEPS, {"from": low + part * span, "to": low + (part + 1) * span})
            print(f"journals, part {part}", file=sys.stderr)
        for statement in (_REQUESTS, _VOTES, _VIEWINGS):
            owner.execute(statement, given)
        owner.execute("ANALYZE")
    return round(perf_counter() - began, 1)


def _counted() -> dict[str, Any]:
    from insights.models import Figure, RunFact
    from insights.services.advance import advance

    began, worked = perf_counter(), process_time()
    while advance():
        print(f"{RunFact.objects.count():,} gathered", file=sys.stderr)
    all_seconds, all_processor = perf_counter() - began, process_time() - worked
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        # As the server does by itself, a minute later.
        owner.execute(
            "VACUUM ANALYZE insights_figure, insights_personfigure, insights_runfact, insights_slice"
        )
    began, worked = perf_counter(), process_time()
    advance()
    return {
        "all_seconds": all_seconds,
        "all_processor": all_processor,
        "gathered": RunFact.objects.count(),
        "idle_ms": (perf_counter() - began) * 1e3,
        "idle_processor_ms": (process_time() - worked) * 1e3,
        "figures": Figure.objects.count(),
    }


def _pages(looks: int) -> dict[str, dict[str, Any]]:
    from django.conf import settings
    from django.db import connection
    from django.test import Client

    from accounts.models import User

    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(
        User.objects.get(username="admin"), backend=settings.AUTHENTICATION_BACKENDS[-1]
    )
    found: dict[str, dict[str, Any]] = {}
    for name in LOOKS:
        statements: list[str] = []

        def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            statements.append(sql)  # noqa: B023 (used up before the next one)
            return execute(sql, *rest)

        taken = []
        with connection.execute_wrapper(note):
            for _ in range(3 + looks):
                statements.clear()
                began, worked = perf_counter(), process_time()
                assert client.get(f"/insights/?period={name}").status_code == 200
                taken.append(((perf_counter() - began) * 1e3, (process_time() - worked) * 1e3))
        found[name] = {
            **summary([clock for clock, _ in taken[3:]]),
            "processor_ms": median(worked for _, worked in taken[3:]),
            "statements": len(statements),
        }
    return found


if __name__ == "__main__":
    sys.exit(main())

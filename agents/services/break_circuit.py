"""A tool that fails again and again is left alone for a while; then one call finds out how it is.

Written outside the run's fence: it speaks of the tool's other side, and is as true from a worker that lost
its run as from any other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from agents.events import agent_ref
from agents.execution import CallOutcome, Done
from agents.models import Run, Step, ToolHealth
from agents.tool_health import is_troubled, note_troubled
from agents.tools import Tool
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import ActionRef

SPEAK_OF_PROVIDER = frozenset({"retryable", "timed_out", "tool_raised"})
"""Outcomes in which the other side did not do its part. A refusal is an answer."""
LONGEST_LOOK_SECONDS = 5.0
MOST_DOUBLINGS = 20

_FAILED = """
INSERT INTO agents_toolhealth AS health (tool, allowance, failures, open_until)
VALUES (%(tool)s, 0, 1, CASE WHEN 1 >= %(most)s
        THEN clock_timestamp() + %(seconds)s * interval '1 second' END)
ON CONFLICT (tool) DO UPDATE
   SET failures = health.failures + 1, probe = NULL,
       open_until = CASE WHEN health.failures + 1 >= %(most)s
           THEN clock_timestamp() + interval '1 second' * least(%(longest)s,
                %(seconds)s * 2 ^ least(%(doublings)s, health.failures + 1 - %(most)s)) END
 WHERE health.open_until IS NULL OR health.probe = %(step)s
RETURNING failures, open_until
"""
_WELL = """
WITH before AS (
    SELECT tool, open_until FROM agents_toolhealth
     WHERE tool = %s AND failures > 0 FOR UPDATE)
UPDATE agents_toolhealth AS health SET failures = 0, open_until = NULL, probe = NULL
  FROM before WHERE health.tool = before.tool
RETURNING before.open_until
"""
_PROBE = """
UPDATE agents_toolhealth
   SET probe = %(step)s, open_until = clock_timestamp() + %(lease)s * interval '1 second'
 WHERE tool = %(tool)s AND (open_until <= clock_timestamp() OR probe = %(step)s)
RETURNING tool
"""
_GIVE_UP_PROBE = """
UPDATE agents_toolhealth SET probe = NULL, open_until = clock_timestamp()
 WHERE tool = %(tool)s AND probe = %(step)s
"""


def seconds_left(tool: Tool, step_id: UUID) -> float | None:
    """For how long the tool is left alone yet; 0 when one call may find out; None while it is called.

    While another call finds out, the answer may come any moment, so the time to look again is short.
    """
    health = ToolHealth.objects.filter(tool=tool.key, open_until__isnull=False).first()
    if health is None or health.open_until is None:
        return None
    left = float((health.open_until - database_now()).total_seconds())
    if left <= 0 or health.probe == step_id:
        return 0.0
    return left if health.probe is None else min(left, LONGEST_LOOK_SECONDS)


def take_probe(tool: Tool, step_id: UUID) -> bool:
    """Whether this call is the one that finds out. It keeps that for the time that it may take."""
    lease = tool.timeout_seconds + settings.COUNTERSIGN.lease_seconds
    return bool(_returned(_PROBE, {"tool": tool.key, "step": step_id, "lease": lease}))


def note_outcome(run: Run, step: Step, tool: Tool, outcome: CallOutcome) -> None:
    """Count a call that failed, or that the tool is well again; a tool that is well costs nothing."""
    if isinstance(outcome, Done):
        if is_troubled(run, tool):
            _note_well(run, tool)
    elif outcome.code in SPEAK_OF_PROVIDER:
        _note_failed(run, step, tool)
    elif is_troubled(run, tool):
        _returned(_GIVE_UP_PROBE, {"tool": tool.key, "step": step.pk})


def _note_failed(run: Run, step: Step, tool: Tool) -> None:
    config = settings.COUNTERSIGN
    given = {
        "tool": tool.key,
        "step": step.pk,
        "most": config.breaker_failures,
        "seconds": config.breaker_seconds,
        "longest": config.breaker_longest_seconds,
        "doublings": MOST_DOUBLINGS,
    }
    note_troubled(run, tool)
    with transaction.atomic():
        counted = _returned(_FAILED, given)
        if counted is not None and counted[1] is not None:
            failures, until = counted
            _tell(run, "breaker.opened", tool, failures=failures, open_until=until)


def _note_well(run: Run, tool: Tool) -> None:
    with transaction.atomic():
        before = _returned(_WELL, [tool.key])
        if before is not None and before[0] is not None:
            _tell(run, "breaker.closed", tool)


def _tell(run: Run, kind: str, tool: Tool, **facts: int | datetime) -> None:
    record(
        type=kind,
        actor=Actor.system("breaker"),
        stream=f"agent:{run.agent.slug}",
        agent=agent_ref(run),
        action=ActionRef(tool=tool.name, risk=tool.risk.value),
        run=run.pk,
        facts=facts,
    )


def _returned(sql: str, given: Any) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return cursor.fetchone() if cursor.description else None

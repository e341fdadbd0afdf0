"""Settle a call: its effect, its step and the run's counters in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from datetime import datetime
from time import monotonic
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.models import F

from agents.context import refusal_message, result_message
from agents.errors import LostLease
from agents.events import announce, result_disclosures
from agents.execution import CallOutcome, Done, Failed, call_tool
from agents.models import EffectRecord, Run, Step
from agents.services.begin_next import Begun, GoOn
from agents.services.claim import Lease, fenced
from agents.services.dispatch import tell_effect
from agents.services.record_undone import record_undone
from agents.services.release_locks import release_locks
from agents.states import EffectState, StepState, step_sources
from agents.tools import Tool, ToolContext, Trust
from agents.verification import read_back
from approvals.services.withdraw import withdraw_requests
from audit.actors import Actor
from audit.clock import database_now, one_moment
from audit.fault_points import reached
from audit.statements import rows

log = structlog.get_logger(__name__)

ACCEPTED = {"status": "accepted", "confirmation": "Accepted, not confirmed yet."}


def settle_read(
    lease: Lease, step: Step, tool: Tool, outcome: CallOutcome, go_on: GoOn
) -> Begun | None:
    """Journal the result of a call without consequences, and begin what comes next where that is plain."""

    def close(run: Run) -> Step | None:
        return _close_step(run, step, tool, outcome, database_now())

    return _settled(lease, close, go_on)


def settle_effect(
    lease: Lease,
    step: Step,
    tool: Tool,
    effect: EffectRecord,
    outcome: CallOutcome,
    go_on: GoOn,
) -> Begun | None:
    """Journal a known outcome of an effect, and begin what comes next where that is plain. An unknown one is
    `doubt`'s."""

    def close(run: Run) -> Step | None:
        return _close_effect(run, step, tool, effect, outcome)

    return _settled(lease, close, go_on)


def _settled(lease: Lease, close: Callable[[Run], Step | None], go_on: GoOn) -> Begun | None:
    try:
        with fenced(lease, with_switches=True) as run:
            closed = close(run)
            return go_on(run, closed) if closed is not None else None
    except (LostLease, OperationalError, InterfaceError):
        raise
    # What comes next may fail, as where a journal cannot be made a request of. What was done is journalled all
    # the same: a call whose result is lost may have happened, and a person would have to find out.
    except Exception:
        log.exception("begin_failed", run=str(lease.run_id))
    with fenced(lease) as run:
        close(run)
    return None


def run_transactional(
    lease: Lease, step: Step, tool: Tool, effect: EffectRecord, ctx: ToolContext
) -> CallOutcome:
    """Do the effect and journal it in one transaction: both land or neither does.

    Raises TransactionalFailure, with nothing done, also where the transaction took longer than the tool
    may: PostgreSQL ends it then, so that the run's row is free again.
    """
    with fenced(lease) as run, one_moment(None):
        began = bound_transaction(tool.timeout_seconds)
        try:
            arguments = tool.parse(step.arguments or {})
            outcome = call_tool(tool, ctx, arguments, here=True)
            if isinstance(outcome, Done):
                # Once: nobody else writes to what this transaction sees.
                outcome = read_back(tool, ctx, arguments, outcome, attempts=1, here=True)
            if isinstance(outcome, Done):
                _close_effect(run, step, tool, effect, outcome)
                return outcome
        except DatabaseError as error:
            if monotonic() - began < tool.timeout_seconds:
                raise
            raise TransactionalFailure(_too_late(tool)) from error
        if monotonic() - began >= tool.timeout_seconds:
            outcome = _too_late(tool)
        # Nothing of a failed body may land; raising rolls it back before the failure is journalled.
        raise TransactionalFailure(outcome)


def bound_transaction(seconds: float) -> float:
    """Have PostgreSQL end this transaction when a statement, or the time between two of them, takes
    longer. Returns the moment before that, on the monotonic clock: no later than PostgreSQL counts from."""
    began = monotonic()
    limit = f"{max(1, round(seconds * 1000))}ms"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true)",
            [limit, limit],
        )
    return began


def _too_late(tool: Tool) -> Failed:
    return Failed(
        "timed_out",
        f"{tool.name} took longer than {tool.timeout_seconds:g} seconds. It did nothing.",
    )


class TransactionalFailure(Exception):
    """The body of a transactional tool failed and was rolled back."""

    def __init__(self, outcome: CallOutcome) -> None:
        super().__init__("the tool failed")
        message, trust = getattr(outcome, "message", ""), getattr(outcome, "trust", None)
        self.outcome = Failed(getattr(outcome, "code", "failed"), message, trust=trust)


def _close_effect(
    run: Run, step: Step, tool: Tool, effect: EffectRecord, outcome: CallOutcome
) -> Step | None:
    now = database_now()
    state, changes = EffectState.FAILED, {}
    if isinstance(outcome, Done):
        state = EffectState.ACCEPTED if outcome.reference else EffectState.SUCCEEDED
        changes = {"result": outcome.result, "reference": outcome.reference}
    if not EffectRecord.objects.move(effect.pk, state, finished_at=now, **changes):
        return None
    read = {"verified": True} if isinstance(outcome, Done) and outcome.verified else {}
    result = result_disclosures(run, outcome.result) if isinstance(outcome, Done) else ()
    tell_effect(run, f"effect.{state.value}", step, effect, also=result, **read)
    closed = _close_step(run, step, tool, outcome, now)
    reached("result.before_commit")
    if step.undoes_id is not None and isinstance(outcome, Done):
        record_undone(run, step)
    return closed


_CLOSE = """
UPDATE agents_step SET state = %s, output = %s, problem = %s, finished_at = %s
 WHERE id = %s AND state = ANY(%s) RETURNING output
"""
_OUTPUT = Step._meta.get_field("output")


def _close_step(
    run: Run, step: Step, tool: Tool, outcome: CallOutcome, now: datetime
) -> Step | None:
    """Close it and count it, on the run at hand too; as it is stored then, or None where it was closed before."""
    if isinstance(outcome, Done):
        output = result_message(outcome.result, trust=tool.trust, as_of=now.isoformat())
        output.update(_edited_note(step))
        if outcome.verified:
            output["verified"] = True
        if outcome.reference:
            output |= ACCEPTED
        state, problem = StepState.SUCCEEDED, ""
        trust: Trust | None = tool.trust
    else:
        # An error may repeat what somebody outside wrote as well as a result may.
        trust = outcome.trust if isinstance(outcome, Failed) else None
        said = {"trust": trust.value} if trust is not None else {}
        output = refusal_message("failed", outcome.code, outcome.message, **said)
        state, problem = StepState.FAILED, outcome.code
    stored = rows(
        _CLOSE,
        [
            state.value,
            _OUTPUT.get_db_prep_save(output, connection),
            problem,
            now,
            step.pk,
            [source.value for source in step_sources(state)],
        ],
    )
    if not stored:
        return None
    if step.locks:
        release_locks(run, step)
    taint: dict[str, Any] = {}
    if trust is Trust.UNTRUSTED and tool.name not in run.tainted_by:
        taint = {"tainted": True, "tainted_by": [*run.tainted_by, tool.name]}
        run.tainted, run.tainted_by = True, taint["tainted_by"]
    Run.objects.change(
        run.pk,
        step_count=F("step_count") + 1,
        tool_calls=F("tool_calls") + 1,
        version=F("version") + 1,
        stalled_claims=0,
        **taint,
    )
    announce(run, "stepped")
    run.step_count, run.tool_calls = run.step_count + 1, run.tool_calls + 1
    run.version, run.stalled_claims = run.version + 1, 0
    closed = copy(step)
    closed.state, closed.problem, closed.finished_at = state, problem, now
    # As it is read the next time: PostgreSQL keeps neither the order of keys nor how a number was written.
    closed.output = json.loads(stored[0][0])
    return closed


def _edited_note(step: Step) -> dict[str, Any]:
    """Tells the agent that a person changed its call, so that it does not repeat the original."""
    resolution = step.resolution or {}
    if not resolution.get("edited"):
        return {}
    why = (resolution.get("data") or {}).get("edit_reason")
    return {
        "edited_by_a_person": True,
        "arguments_that_ran": step.arguments,
        "note": "A person changed this call before it ran. It is done; do not repeat the original.",
        **({"why": why} if why else {}),
    }


def settle_refused(
    lease: Lease, step: Step, *, status: str, code: str, message: str, **more: Any
) -> None:
    """Close a step that was never done, with what the agent is told. An approval of it is used up."""
    with fenced(lease) as run:
        if step.approval_id is not None and (step.resolution or {}).get("kind") == "approved":
            withdraw_requests(
                request_ids=[step.approval_id],
                actor=Actor.agent(run.agent.slug),
                why=code,
                who="the end of its call",
            )
        output = refusal_message(status, code, message, **more)
        Step.objects.move(
            step.pk, StepState.REFUSED, output=output, problem=code, finished_at=database_now()
        )
        release_locks(run, step)
        _count_step(run)


def settle_answered(lease: Lease, step: Step, output: dict[str, Any]) -> None:
    """Close a step that a person answered."""
    with fenced(lease) as run:
        Step.objects.move(step.pk, StepState.SUCCEEDED, output=output, finished_at=database_now())
        _count_step(run)


def _count_step(run: Run) -> None:
    Run.objects.change(run.pk, step_count=F("step_count") + 1, version=F("version") + 1)
    announce(run, "stepped")

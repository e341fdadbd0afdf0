"""Journal that a workflow entered a state: its move, and what that asks for, in one transaction."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from agents.definitions import Agent
from agents.events import announce
from agents.flow_moves import Entry, Row
from agents.gathering import confidence_from, signals_of_state
from agents.holding import is_held
from agents.journal import Journal
from agents.models import Run, Step
from agents.services.claim import Lease, fenced
from agents.services.judge_call import judge_call
from agents.states import StepKind, StepState
from approvals.services.policies import current
from audit.canonical import canonical_bytes, sha256_hex
from audit.clock import database_now
from audit.fault_points import reached
from audit.writes import insert


def record_state(lease: Lease, agent: Agent, journal: Journal, entry: Entry) -> None:
    """Insert the state's step and the row that follows it, with the gate's word where that is a call.

    Nothing changes where a person said something meanwhile, which the state is to read, or where a kill
    switch holds the run.
    """
    with fenced(lease, with_switches=True) as run:
        if run.unheard or is_held(run):
            return
        now = database_now()
        at = Step(
            run=run,
            seq=journal.next_seq,
            schema=Step.CONTEXT_SCHEMA,
            kind=StepKind.STATE,
            name=entry.state,
            state=StepState.SUCCEEDED,
            request=entry.request,
            input_digest=sha256_hex(canonical_bytes(entry.request)),
            epoch=lease.epoch,
            started_at=now,
            finished_at=now,
        )
        insert(at)
        if entry.row is not None:
            insert(_row(run, agent, journal, at, entry.row, now))
        Run.objects.change(
            run.pk, step_count=F("step_count") + 1, version=F("version") + 1, stalled_claims=0
        )
        announce(run, "stepped")
        reached("state.before_commit", of=entry.state)


def _row(run: Run, agent: Agent, journal: Journal, at: Step, row: Row, now: datetime) -> Step:
    step = Step(
        run=run,
        seq=at.seq + 1,
        kind=row.kind,
        name=row.name,
        call_id=f"{at.name}-{at.seq}",
        state=StepState.PROPOSED,
        arguments=row.arguments,
        confidence_bp=row.confidence_bp,
        rationale=row.rationale,
        request=row.request,
        epoch=at.epoch,
        started_at=now,
    )
    if row.tool is None:
        step.input_digest = sha256_hex(canonical_bytes(row.arguments))
        return step
    published = current()
    choice = published.policy.scores.resolve(agent=agent.slug, tool=row.name)
    if choice.takes_calls:
        step.state, step.schema = StepState.UNJUDGED, Step.SCORE_SCHEMA
        return step
    confidence = confidence_from(signals_of_state(step, at, journal, choice), choice)
    earlier = journal.tools_called()
    judge_call(step, agent, run, row.tool, confidence, published, earlier, now, route=at.name)
    return step

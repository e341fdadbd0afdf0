"""End a run: with an answer, with a failure, or because a person stopped it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import F

from agents import spans
from agents.counted import RUNS_ENDED
from agents.events import announce, tell
from agents.models import EffectRecord, Run, Step
from agents.services.claim import Lease, fenced
from agents.services.release_locks import release_locks
from agents.services.start_undo_run import hand_over_undos
from agents.services.tell_parent import tell_parent
from agents.states import OPEN, EffectState, Outcome, RunState, StepKind, StepState
from approvals.services.cancel import cancel_requests
from audit.actors import Actor
from audit.clock import database_now
from audit.schemas import Outcome as OutcomeRef
from audit.statements import landed

# What was not begun is refused, what was begun has failed; see the table of states.
_END_STEPS = """
UPDATE agents_step
   SET state = CASE state WHEN 'started' THEN 'failed' ELSE 'refused' END,
       problem = 'run_ended', finished_at = %s
 WHERE run_id = %s AND state IN ('unjudged', 'proposed', 'waiting', 'started')
"""


DONE = {"status": "done"}


def succeed(
    lease: Lease,
    step: Step,
    *,
    outcome: Outcome,
    output: dict[str, Any],
    looked_at: Mapping[str, Any] | None = None,
) -> bool:
    """End with the agent's answer (or its abstention); the step that carries it is settled too.

    `looked_at`: what a person said of the answer, where one was asked. False, with nothing changed, where a
    person said something meanwhile: that is heard first.
    """
    with fenced(lease, may_end=True) as run:
        if run.unheard:
            return False
        now = database_now()
        said = {**DONE, **(looked_at or {})}
        Step.objects.move(step.pk, StepState.SUCCEEDED, output=said, finished_at=now)
        _close(run, RunState.SUCCEEDED, outcome, Actor.agent(run.agent.slug), output=output)
    return True


def end_with(run: Run, step: Step) -> None:
    """End with the answer (or the abstention) that was just inserted as done. The caller holds the run's row, and
    locked that of its parent before."""
    outcome = Outcome.ABSTAINED if step.kind == StepKind.ABSTAIN else Outcome.DONE
    actor = Actor.agent(run.agent.slug)
    _close(run, RunState.SUCCEEDED, outcome, actor, output=step.arguments or {})


def end_undo(lease: Lease, undo: Step | None) -> None:
    """End a run that holds nothing but an undo, as that turned out. None: it was never proposed."""
    with fenced(lease, may_end=True) as run:
        actor = Actor.agent(run.agent.slug)
        if undo is not None and undo.state == StepState.SUCCEEDED:
            _close(run, RunState.SUCCEEDED, Outcome.DONE, actor, output={"outcome": "undone"})
        else:
            message = str(((undo.output if undo else None) or {}).get("message") or "")
            code = undo.problem if undo else "not_proposed"
            failure = {"code": code, "message": f"It was not undone. {message}".strip()}
            _close(run, RunState.FAILED, Outcome.FAILED, actor, failure=failure)


def end_simulated(lease: Lease, code: str, message: str) -> None:
    """End a simulated run that cannot go on, or would ask a person: in a word and in a sentence, why."""
    with fenced(lease, may_end=True) as run:
        assert run.simulated, "any other run waits for people"
        failure = {"code": code, "message": message, "simulated": True}
        actor = Actor.agent(run.agent.slug)
        _close(run, RunState.FAILED, Outcome.FAILED, actor, failure=failure)


def cancel(run: Run, actor: Actor, why: str) -> None:
    """Cancel a run whose row the caller holds, and locked that of its parent before: at once where it stands
    still, else at its next safe point.

    A run that does not know yet whether an effect happened finds that out first, or is told by a person.
    Runs that it delegated to are cancelled with it.
    """
    if run.state != RunState.RUNNING and not is_uncertain(run):
        close_cancelled(run, actor, why)
        return
    if run.cancel_requested_at is None:
        Run.objects.filter(pk=run.pk).update(
            cancel_requested_at=database_now(),
            cancel_request={"actor": asdict(actor), "why": why},
            # It is to come to its end.
            paused_at=None,
            version=F("version") + 1,
            wake_seq=F("wake_seq") + 1,
        )
    cancel_children(run, actor, why)
    announce(run, "cancelling")


def cancel_children(run: Run, actor: Actor, why: str) -> None:
    """Cancel the open runs that this one delegated to, and theirs. The caller holds the run's row, so
    that a parent is always locked before its children. Runs that take back what it did are none of them."""
    children = (
        Run.objects.select_for_update(of=("self",), no_key=True)
        .select_related("agent", "agent_version")
        .filter(parent=run.pk, undoes__isnull=True, state__in=OPEN)
        .order_by("id")
    )
    for child in children:
        cancel(child, actor, why)


def end_if_cancelled(run: Run) -> bool:
    """Carry out a cancellation that was asked for; False when there is none, or not yet.

    The caller holds the run's row.
    """
    if run.cancel_requested_at is None or is_uncertain(run):
        return False
    asked = run.cancel_request or {}
    actor = Actor(**asked["actor"]) if asked else Actor.system("cancel")
    close_cancelled(run, actor, str(asked.get("why") or "Cancelled while at work."))
    return True


def is_uncertain(run: Run) -> bool:
    """Whether a call of the run was sent and nobody knows yet what became of it."""
    return EffectRecord.objects.filter(
        run=run, state__in=[EffectState.DISPATCHED, EffectState.IN_DOUBT]
    ).exists()


def end_stopped(lease: Lease, actor: Actor, why: str) -> None:
    """End a running run that a person, or a deadline, stopped."""
    with fenced(lease, may_end=True) as run:
        close_cancelled(run, actor, why)


def close_cancelled(run: Run, actor: Actor, why: str) -> None:
    """Cancel the run and everything it waits for. The caller holds the run's row."""
    cancel_requests(run_id=run.pk, actor=actor, why="run_cancelled")
    _close(
        run, RunState.CANCELLED, Outcome.STOPPED, actor, failure={"code": "stopped", "message": why}
    )
    # It has ended by now, so that none of them wakes it.
    cancel_children(run, actor, why)


def _close(run: Run, state: RunState, outcome: Outcome, actor: Actor, **changes: Any) -> None:
    now = database_now()
    landed(_END_STEPS, [now, run.pk])
    if state is not RunState.SUCCEEDED:
        # A run that ends by itself has settled every call, and each gave up its own.
        release_locks(run)
    moved = Run.objects.move(
        run.pk,
        state,
        outcome=outcome,
        finished_at=now,
        lease_owner="",
        lease_expires_at=None,
        ready_at=None,
        wake_at=None,
        unheard=False,
        taken_over_at=None,
        taken_over_by=None,
        **changes,
    )
    assert moved, f"run {run.pk} could not become {state} from {run.state}"
    kind = "run.cancelled" if state is RunState.CANCELLED else "run.ended"
    spans.ended(run, state.value, outcome.value)
    transaction.on_commit(partial(RUNS_ENDED.add, run.agent.slug, state.value), robust=True)
    hand_over_undos(run)
    tell_parent(run)
    tell(run, kind, actor=actor, outcome=OutcomeRef(decision=state.value, meaning=outcome.value))
    announce(run, "ended")

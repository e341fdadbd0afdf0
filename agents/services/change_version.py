"""A run whose tools changed under it: follow what a person chose, and withdraw calls nobody judged as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F

from agents.context import refusal_message
from agents.drift import USE_NEW
from agents.events import announce, tell
from agents.models import Run, Step
from agents.queues import wake_later_on_commit
from agents.services.claim import Lease, fenced
from agents.services.end import end_if_cancelled
from agents.services.release_locks import release_locks
from agents.states import RunState, StepState
from approvals.services.withdraw import withdraw_requests
from audit.actors import Actor
from audit.clock import database_now

NOT_ACTIVATED = "The installed version was not activated when this was chosen, so nothing changed."
TOOL_CHANGED = (
    "The tool changed while this call waited. It did not run. Look at the tools you have now; propose "
    "it again if it is still right."
)


def follow_choice(lease: Lease, step: Step, choice: str, note: str) -> None:
    """Settle the attention step with the choice; *use new* moves the run to the version it was about.

    A version that is not the active one any more moves nothing: the run is then looked at again.
    """
    with fenced(lease) as run:
        installed = str((step.request or {})["installed"])
        output: dict[str, Any] = {"status": "answered", "choice": choice, "note": note}
        active = run.agent.active_version
        if choice == USE_NEW and (active is None or active.digest != installed):
            output["refused"] = NOT_ACTIVATED
        else:
            output["installed"] = installed
        if choice == USE_NEW and active is not None and active.digest == installed:
            output["was"] = run.agent_version.digest
            facts = {"from_version": output["was"], "to_version": installed}
            run.agent_version = active
            Run.objects.filter(pk=run.pk).update(agent_version=active)
            tell(run, "run.version_changed", actor=Actor.system("decision"), facts=facts)
        Step.objects.move(step.pk, StepState.SUCCEEDED, output=output, finished_at=database_now())
        _count(run, 1)


def withdraw_calls(lease: Lease, steps: Sequence[Step]) -> None:
    """Refuse calls that were judged as another call than would run now, and close their requests."""
    with fenced(lease) as run:
        withdraw_requests(
            request_ids=[step.approval_id for step in steps if step.approval_id is not None],
            actor=Actor.system("deploy"),
            why="tool_changed",
            who="a change of the tool",
        )
        output = refusal_message("withdrawn", "tool_changed", TOOL_CHANGED)
        for step in steps:
            # One that stood in line holds nothing, and leaves its line.
            release_locks(run, step)
            Step.objects.move(
                step.pk,
                StepState.REFUSED,
                output=output,
                problem="tool_changed",
                finished_at=database_now(),
            )
        _count(run, len(steps))


def leave_to_others(lease: Lease) -> bool:
    """Let go of a run that a process of another release can advance; soon it may be taken up again.

    False, with nothing changed, when it was left again and again for so long that there seems to be
    no such process.
    """
    with fenced(lease, may_end=True) as run:
        if end_if_cancelled(run):
            return True
        now = database_now()
        longest = timedelta(seconds=settings.COUNTERSIGN.other_release_seconds)
        since = _left_since(run, now, longest)
        if now - since > longest:
            return False
        ready_at = now + timedelta(seconds=settings.COUNTERSIGN.sweep_seconds)
        Run.objects.move(
            run.pk,
            RunState.READY,
            lease_owner="",
            lease_expires_at=None,
            wake_seq=F("wake_seq") + 1,
            ready_at=ready_at,
            # It was no failure to get further.
            stalled_claims=max(run.stalled_claims - 1, 0),
            left={"since": since.isoformat(), "last": now.isoformat()},
        )
        wake_later_on_commit(run.pk, run.wake_seq + 1, ready_at)
        return True


def _left_since(run: Run, now: datetime, longest: timedelta) -> datetime:
    """Since when the run has been left again and again; what is longer ago was another deploy."""
    left = run.left or {}
    if not left or now - datetime.fromisoformat(left["last"]) > longest:
        return now
    return datetime.fromisoformat(left["since"])


def _count(run: Run, steps: int) -> None:
    Run.objects.filter(pk=run.pk).update(
        step_count=F("step_count") + steps, version=F("version") + 1, stalled_claims=0
    )
    announce(run, "stepped")

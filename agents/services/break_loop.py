"""Settle what a person said about a run that went round in circles."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import F

from agents.context import refusal_message
from agents.events import announce
from agents.journal import CALL_KINDS, Journal
from agents.loop_reading import ALLOW, OTHER_WAY, digests_of
from agents.models import Run, Step
from agents.services.claim import Lease, fenced
from agents.services.release_locks import release_locks
from agents.states import StepState
from approvals.services.withdraw import withdraw_requests
from audit.actors import Actor
from audit.clock import database_now

REFUSED: Final = (
    "You went round in circles, so this call did not run. Find another way, or abstain."
)
TOLD: Final = "You went round in circles. Find another way, or abstain."
OPEN: Final = (StepState.UNJUDGED, StepState.PROPOSED, StepState.WAITING)


def break_loop(lease: Lease, step: Step, journal: Journal, choice: str, note: str) -> None:
    """Close the attention step; what follows is looked at afresh.

    *Another way* refuses the calls of the loop that did not run; *allow* leaves these calls alone from now on.
    """
    with fenced(lease) as run:
        calls = [journal.step(int(seq)) for seq in (step.request or {})["calls"]]
        output: dict[str, Any] = {"status": "answered", "continue": True, "note": note}
        if choice:
            output["choice"] = choice
        if choice == ALLOW:
            output["allowed"] = digests_of(calls)
        if choice == OTHER_WAY:
            _refuse(run, [c for c in calls if c.kind in CALL_KINDS and c.state in OPEN], step)
            output["note"] = note or TOLD
        Step.objects.move(step.pk, StepState.SUCCEEDED, output=output, finished_at=database_now())
        Run.objects.change(run.pk, step_count=F("step_count") + 1, version=F("version") + 1)
        announce(run, "stepped")


def _refuse(run: Run, calls: list[Step], about: Step) -> None:
    withdraw_requests(
        request_ids=[call.approval_id for call in calls if call.approval_id is not None],
        actor=Actor.system("decision"),
        why="loop",
        who=str((about.resolution or {}).get("by") or "a person"),
    )
    output = refusal_message("refused", "loop", REFUSED)
    for call in calls:
        release_locks(run, call)
        Step.objects.move(
            call.pk, StepState.REFUSED, output=output, problem="loop", finished_at=database_now()
        )

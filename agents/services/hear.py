"""Journal what people said to a run since its worker looked last, in the order in which it was said."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F

from agents.context import refusal_message
from agents.events import announce
from agents.journal import CALL_KINDS, Journal
from agents.models import Run, RunMessage, Step
from agents.openings import for_hand_back
from agents.services.call_model import INTERRUPTED
from agents.services.claim import Lease, fenced
from agents.services.park import Ask, park
from agents.services.release_locks import release_locks
from agents.states import MessageKind, StepKind, StepState
from approvals.services.supersede import supersede_requests
from audit.actors import Actor
from audit.clock import database_now

SET_ASIDE_FROM = (StepState.UNJUDGED, StepState.PROPOSED, StepState.WAITING)
SET_ASIDE = "The task changed before this call ran."
KINDS = {
    MessageKind.MESSAGE: StepKind.MESSAGE,
    MessageKind.GOAL: StepKind.GOAL,
    MessageKind.TAKE_OVER: StepKind.HAND_BACK,
}


def hear(lease: Lease, journal: Journal) -> bool:
    """Journal it; True when the run goes on, False when it was parked for the person who took over."""
    with fenced(lease, may_end=True) as run:
        said = list(
            RunMessage.objects.filter(run=run, journalled_at__isnull=True)
            .select_related("author")
            .order_by("sent_at", "id")
        )
        now = database_now()
        _close_begun(journal, now)
        if any(message.kind == MessageKind.GOAL for message in said):
            _set_aside(run, journal, now)
        ask = None
        for seq, message in enumerate(said, start=journal.next_seq):
            step = _step(run, seq, message, lease.epoch, now)
            if step.kind == StepKind.HAND_BACK:
                ask = Ask(step, for_hand_back(run, step, message.author, journal.steps))
            else:
                step.save(force_insert=True)
        RunMessage.objects.filter(pk__in=[message.pk for message in said]).update(journalled_at=now)
        Run.objects.filter(pk=run.pk).update(
            unheard=False,
            step_count=F("step_count") + len(said),
            version=F("version") + 1,
            stalled_claims=0,
        )
        announce(run, "stepped")
        if ask is not None:
            park(lease, [ask], held=True)
    return ask is None


def _step(run: Run, seq: int, message: RunMessage, epoch: int, now: datetime) -> Step:
    kind = KINDS[MessageKind(message.kind)]
    waits = kind is StepKind.HAND_BACK
    return Step(
        run=run,
        seq=seq,
        kind=kind,
        name=message.kind,
        state=StepState.WAITING if waits else StepState.SUCCEEDED,
        request={
            "text": message.text,
            "by": str(message.author),
            "sent_at": message.sent_at.isoformat(),
        },
        epoch=epoch,
        started_at=now,
        finished_at=None if waits else now,
    )


def _close_begun(journal: Journal, now: datetime) -> None:
    """A model call that a process died in would be made again without what was said: it is made anew."""
    for step in journal.unsettled:
        if step.kind in (StepKind.MODEL, StepKind.SCORE, StepKind.ROUTE):
            Step.objects.move(
                step.pk,
                StepState.FAILED,
                problem=INTERRUPTED["code"],
                attempts=[*step.attempts, {**INTERRUPTED, "at": now.isoformat()}],
                finished_at=now,
            )


def _set_aside(run: Run, journal: Journal, now: datetime) -> None:
    """Refuse the calls that were proposed for the old task; what was sent, or is in doubt, is left alone."""
    # Requests that were opened after the change was asked for and before it is heard.
    supersede_requests(run_id=run.pk, actor=Actor.system("goal-change"), why="goal_changed")
    for step in journal.unsettled:
        if step.kind in CALL_KINDS and step.state in SET_ASIDE_FROM:
            Step.objects.move(
                step.pk,
                StepState.REFUSED,
                problem="goal_changed",
                output=refusal_message("set_aside", "goal_changed", SET_ASIDE),
                finished_at=now,
            )
            release_locks(run, step)

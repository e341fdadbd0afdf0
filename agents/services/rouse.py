"""Have a worker look at a run soon, because a person said something that does not wait."""

from __future__ import annotations

from django.db.models import F

from agents import spans
from agents.events import tell
from agents.models import Run
from agents.queues import RESUMES, wake_on_commit
from agents.states import CLAIMABLE, RunState
from audit.actors import Actor
from audit.clock import database_now

PARKED = (RunState.WAITING, RunState.SLEEPING)


def rouse(run: Run, actor: Actor) -> None:
    """Make a parked run ready now; one at work hears at its next safe point. The caller holds its row."""
    Run.objects.filter(pk=run.pk).update(wake_seq=F("wake_seq") + 1)
    if run.state in PARKED:
        now = database_now()
        spans.waited(run, now, actor.id)
        Run.objects.move(run.pk, RunState.READY, ready_at=now, wake_at=None)
        tell(run, "run.woken", actor=actor)
    elif run.state == RunState.READY:
        # It may be waiting for the end of an undo time.
        Run.objects.filter(pk=run.pk).update(ready_at=database_now())
    if run.state in (*PARKED, *CLAIMABLE):
        wake_on_commit(run.pk, run.wake_seq + 1, RESUMES)

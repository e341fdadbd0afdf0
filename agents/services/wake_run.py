"""Have a parked run go on, because something that it waited for has come."""

from __future__ import annotations

from django.db.models import F

from agents import spans
from agents.events import announce, tell
from agents.models import Run
from agents.queues import RESUMES, wake_later_on_commit, wake_on_commit
from agents.resolved import earliest_ready_at, resolved_steps
from agents.states import RunState
from audit.actors import Actor
from audit.clock import database_now


def wake_run(run: Run, by: Actor) -> None:
    """Raise the wake number; a parked run becomes ready, one at work learns of it when it parks. The caller
    holds the run's row."""
    now = database_now()
    ready_at = earliest_ready_at(resolved_steps(run.pk), now)
    raised = {"wake_seq": F("wake_seq") + 1}
    if run.state in (RunState.WAITING, RunState.SLEEPING):
        spans.waited(run, now, by.id)
        Run.objects.move(run.pk, RunState.READY, ready_at=ready_at, wake_at=None, **raised)
        tell(run, "run.woken", actor=by)
    elif run.state == RunState.READY:
        # What it was ready for is not put off by an approval that can still be taken back.
        ready_at = min(ready_at, run.ready_at or now)
        Run.objects.change(run.pk, ready_at=ready_at, **raised)
    else:
        Run.objects.change(run.pk, **raised)
    if ready_at <= now:
        wake_on_commit(run.pk, run.wake_seq + 1, RESUMES)
    else:
        wake_later_on_commit(run.pk, run.wake_seq + 1, ready_at)
    announce(run, "woken")

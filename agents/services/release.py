"""Give a run back at a safe point, for another worker to go on with."""

from __future__ import annotations

from django.db.models import F

from agents.models import Run
from agents.queues import RUNS, wake_on_commit
from agents.services.claim import Lease, fenced
from agents.services.end import end_if_cancelled
from agents.states import RunState


def release(lease: Lease) -> None:
    """Let go of the lease; the run is ready at once, or ended where that was asked for."""
    with fenced(lease, may_end=True) as run:
        if end_if_cancelled(run):
            return
        Run.objects.move(
            run.pk,
            RunState.READY,
            lease_owner="",
            lease_expires_at=None,
            wake_seq=F("wake_seq") + 1,
        )
        wake_on_commit(run.pk, run.wake_seq + 1, RUNS)

"""Put a run to sleep until a moment, instead of holding a worker through a long back-off."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from agents.events import announce
from agents.models import Run
from agents.services.claim import Lease, fenced
from agents.services.end import end_if_cancelled
from agents.states import RunState
from audit.clock import database_now


def sleep(lease: Lease, *, seconds: float) -> None:
    """Let go of the run until then; the scheduler makes it ready."""
    with fenced(lease, may_end=True) as run:
        if end_if_cancelled(run):
            return
        now = database_now()
        Run.objects.move(
            run.pk,
            RunState.SLEEPING,
            wake_at=now + timedelta(seconds=seconds),
            sleeps=F("sleeps") + 1,
            lease_owner="",
            lease_expires_at=None,
            stalled_claims=0,
        )
        announce(run, "sleeping")

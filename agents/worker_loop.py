"""What a worker process does with its time: the run it was woken for, then other ready ones."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from time import monotonic
from uuid import UUID

from django.conf import settings
from django.db.models import F

from agents.models import Run
from agents.runner import advance
from agents.tool_threads import threads
from audit.clock import database_now

OWNER = socket.gethostname()


class Stopping:
    """Whether this process was asked to stop; runs are then given back at the next safe point."""

    asked = False

    def __call__(self) -> bool:
        return self.asked


stopping = Stopping()


def worn_out() -> bool:
    """Whether a call that never came back is left behind here. Such a process ends after the run at
    hand; its pool starts a new one."""
    return threads.left_behind > 0


def owner() -> str:
    """This process, as leases name it."""
    return f"{OWNER}:{os.getpid()}"


def nothing_waits() -> bool:
    """No wake-up is known to wait."""
    return False


def advance_and_drain(run_id: UUID, another_waits: Callable[[], bool] = nothing_waits) -> None:
    """Advance the run; then go on with runs that a decision made ready, for a bounded moment.

    Not while another wake-up waits, which names its run: that one is taken next, and needs no looking for.
    """
    ends = monotonic() + settings.COUNTERSIGN.wake_drain_seconds
    advance(run_id, owner=owner(), stopping=stopping)
    if another_waits():
        return
    while monotonic() < ends and not stopping() and not worn_out():
        following = next_ready_run()
        if following is None or not advance(following, owner=owner(), stopping=stopping):
            return


def next_ready_run() -> UUID | None:
    """The run that has been ready longest, or None."""
    return (
        Run.objects.claimable(database_now())
        .order_by(F("ready_at").asc(nulls_last=True), "id")
        .values_list("pk", flat=True)
        .first()
    )

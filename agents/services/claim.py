"""Who owns a run now: claim it, renew the claim, write under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from agents.errors import LostLease
from agents.models import Run
from agents.states import RunState


@dataclass(frozen=True)
class Lease:
    """The right to write to one run until somebody claims it with a higher epoch."""

    run_id: UUID
    epoch: int
    wake_seq: int
    owner: str


# One statement, every condition on the row itself: under READ COMMITTED a condition inside a subquery
# is not looked at again when two workers meet, and both would win.
CLAIM = """
UPDATE agents_run AS run
   SET state = 'running', epoch = run.epoch + 1, version = run.version + 1,
       lease_owner = %(owner)s,
       lease_expires_at = clock_timestamp() + %(lease)s * interval '1 second',
       started_at = coalesce(run.started_at, clock_timestamp()),
       waited_seconds = run.waited_seconds
           + coalesce(extract(epoch FROM clock_timestamp() - run.parked_at), 0),
       parked_at = NULL, ready_at = NULL, wake_at = NULL, nudged_at = NULL,
       stalled_claims = run.stalled_claims + 1
  FROM agents_hostedagent AS agent
 WHERE run.id = %(run)s AND agent.id = run.agent_id
   AND run.state IN ('queued', 'ready')
   AND (run.ready_at IS NULL OR run.ready_at <= clock_timestamp())
   AND run.paused_at IS NULL AND agent.disabled_at IS NULL
RETURNING run.epoch, run.wake_seq
"""


def claim(run_id: UUID, *, owner: str) -> Lease | None:
    """Take the run if it may go on now; None when somebody has it, or it waits, or it is paused."""
    seconds = settings.COUNTERSIGN.lease_seconds
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"run": run_id, "owner": owner, "lease": seconds})
        row = cursor.fetchone()
    if row is None:
        return None
    return Lease(run_id=run_id, epoch=row[0], wake_seq=row[1], owner=owner)


@contextmanager
def fenced(lease: Lease) -> Iterator[Run]:
    """A transaction that holds the run's row and lands only while the lease is ours.

    Raises LostLease when another worker has claimed the run since, or it is no longer running.
    """
    with transaction.atomic():
        run = (
            Run.objects.select_for_update(of=("self",))
            .select_related("agent__owner_group", "agent_version", "initiator")
            .get(pk=lease.run_id)
        )
        if run.epoch != lease.epoch or run.state != RunState.RUNNING:
            raise LostLease
        yield run


def renew(lease: Lease) -> bool:
    """Push the lease's end out; False when it is no longer ours."""
    ends = Now() + timedelta(seconds=settings.COUNTERSIGN.lease_seconds)
    return (
        Run.objects.filter(pk=lease.run_id, epoch=lease.epoch, state=RunState.RUNNING).update(
            lease_expires_at=ends
        )
        == 1
    )

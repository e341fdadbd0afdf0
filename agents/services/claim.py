"""Who owns a run now: claim it, renew the claim, write under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from agents.errors import LostLease
from agents.events import run_stream
from agents.holding import HELD, HELD_FOR_NOW
from agents.models import Run
from agents.services.family import lock_row
from agents.states import RunState
from agents.tool_health import TROUBLED
from audit.clock import moment_of, one_moment
from audit.keyring import at_hand, key_of, put_at_hand
from audit.prepared import CLOCK, Prepared, locking_first

AROUND = ("agent__owner_group", "agent_version", "initiator")
BESIDE = ("agent", "agent_version")
"""What is read with a run that is locked to be written to: who works on it has read the rest before."""
DEFINITION = "agent_version__definition"


@dataclass(frozen=True)
class Lease:
    """The right to write to one run until somebody claims it with a higher epoch."""

    run_id: UUID
    epoch: int
    wake_seq: int
    owner: str
    parent: UUID | None = None
    """The run that waits for this one, and is told of its end."""


# One statement, every condition on the row itself: under READ COMMITTED a condition inside a subquery
# is not looked at again when two workers meet, and both would win.
CLAIM = """
WITH claimed AS (
UPDATE agents_run AS run
   SET state = 'running', epoch = run.epoch + 1, version = run.version + 1,
       lease_owner = %s,
       lease_expires_at = clock_timestamp() + %s * interval '1 second',
       started_at = coalesce(run.started_at, clock_timestamp()),
       waited_seconds = run.waited_seconds
           + coalesce(extract(epoch FROM clock_timestamp() - run.parked_at), 0),
       parked_at = NULL, ready_at = NULL, wake_at = NULL, nudged_at = NULL,
       stalled_claims = run.stalled_claims + 1
 WHERE run.id = %s
   AND run.state IN ('queued', 'ready')
   AND (run.ready_at IS NULL OR run.ready_at <= clock_timestamp())
   AND run.paused_at IS NULL
   AND NOT EXISTS (SELECT FROM agents_killswitch AS switch
                    WHERE switch.lifted_at IS NULL AND switch.tool = ''
                      AND (switch.agent_id IS NULL OR switch.agent_id = run.agent_id
                           OR switch.agent_id = ANY(run.under)))
RETURNING run.*)
"""


def _claiming(sql: str) -> str:
    """Read what the claim returns instead of the table, which still shows the row as it was."""
    return CLAIM + sql.replace('FROM "agents_run"', 'FROM claimed AS "agents_run"', 1)


_KEY = key_of("run")

_claimed = Prepared(
    lambda: (
        Run.objects.annotate(read_at=CLOCK, troubled=TROUBLED, held=HELD_FOR_NOW, subject_key=_KEY)
        .select_related(*AROUND)
        .order_by()
    ),
    rewrite=_claiming,
)

_locked = Prepared(
    lambda: (
        Run.objects.annotate(read_at=CLOCK, subject_key=_KEY)
        .select_related(*BESIDE)
        .defer(DEFINITION)
        .order_by()
    ),
    rewrite=locking_first(Run),
)

_locked_for_now = Prepared(
    lambda: (
        Run.objects.annotate(read_at=CLOCK, held=HELD_FOR_NOW, subject_key=_KEY)
        .select_related(*BESIDE)
        .defer(DEFINITION)
        .order_by()
    ),
    rewrite=locking_first(Run),
)

_read = Prepared(
    lambda pk: (
        Run.objects.annotate(read_at=CLOCK, troubled=TROUBLED, held=HELD)
        .select_related(*AROUND)
        .filter(pk=pk)
    ),
    UUID(int=0),
)


@dataclass(frozen=True)
class Claimed:
    """A run that was just claimed, as it stands now, and the database's moment of the claim."""

    lease: Lease
    run: Run
    at: datetime


def claim(run_id: UUID, *, owner: str) -> Claimed | None:
    """Take the run if it may go on now; None when somebody has it, it waits, or it is paused or switched
    off. Inside a transaction no kill switch is set before that ends."""
    seconds = settings.COUNTERSIGN.lease_seconds
    run = _claimed.one(before=[owner, seconds, run_id])
    if run is None:
        return None
    lease = Lease(
        run_id=run_id,
        epoch=run.epoch,
        wake_seq=run.wake_seq,
        owner=owner,
        parent=run.parent_id if run.delegated_by_id else None,
    )
    put_at_hand(run_stream(run_id), run)
    return Claimed(lease, run, moment_of(run))


@contextmanager
def fenced(lease: Lease, *, with_switches: bool = False, may_end: bool = False) -> Iterator[Run]:
    """A transaction that holds the run's row and lands only while the lease is ours. All that is done in
    it happened at one moment. `with_switches`: the run is read with what is switched off for it
    (`holding.is_held`), and no switch is set before the transaction ends. `may_end`: the run may end in
    it, of which the run that waits for it is told; so its row is locked first.

    Raises LostLease when another worker has claimed the run since, or it is no longer running.
    """
    with transaction.atomic(), at_hand():
        if may_end and lease.parent is not None:
            lock_row(lease.parent)
        locked = _locked_for_now if with_switches else _locked
        run = locked.one(before=[lease.run_id])
        if run is None or run.epoch != lease.epoch or run.state != RunState.RUNNING:
            raise LostLease
        put_at_hand(run_stream(run.pk), run)
        with one_moment(moment_of(run)):
            yield run


def read_run(lease: Lease) -> Run:
    """The run as it stands now, without a lock, read with the clock. Raises LostLease."""
    run = _read.one(lease.run_id)
    if run is None or run.epoch != lease.epoch:
        raise LostLease
    return run


def renew(lease: Lease) -> bool:
    """Push the lease's end out; False when it is no longer ours."""
    ends = Now() + timedelta(seconds=settings.COUNTERSIGN.lease_seconds)
    return (
        Run.objects.filter(pk=lease.run_id, epoch=lease.epoch, state=RunState.RUNNING).update(
            lease_expires_at=ends
        )
        == 1
    )

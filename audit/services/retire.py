"""Drop the bodies of months that need not be kept any longer; leaf hashes, and with them all proofs, stay."""

from collections.abc import Iterator

from django.db import connections, transaction

from audit.actors import Actor
from audit.clock import database_now
from audit.errors import Conflict
from audit.models import Pending
from audit.protection import OWNER
from audit.record_keeping import Hold
from audit.recorder import record
from audit.retention import Month, months_to_drop
from audit.services.hold import hold_on_events, no_new_holds

RETENTION = Actor.system("retention")


class MonthHeld(Conflict):
    """A legal hold covers events of the month."""

    code = "month_on_hold"

    def __init__(self, month: Month, hold: Hold) -> None:
        super().__init__(
            f"{month.partition} stays: a legal hold covers events of it: {hold.matter} ({hold.covered}).",
            params={"partition": month.partition, "hold": str(hold.pk)},
        )


class NotSealed(Conflict):
    """Events of the month have no leaf yet: without their bodies nothing would be left of them."""

    code = "month_not_sealed"

    def __init__(self, month: Month) -> None:
        super().__init__(
            f"{month.partition} stays: events of it are not sealed yet. Start the sealer and try again.",
            params={"partition": month.partition},
        )


class NotOld(Conflict):
    """The month has to be kept, or is no month of the log."""

    code = "month_not_old"

    def __init__(self, partition: str) -> None:
        super().__init__(
            f"{partition} is no month of the log that may be dropped.",
            params={"partition": partition},
        )


def drop_old_months() -> Iterator[tuple[Month, int | Conflict]]:
    """Drop each month that is old enough; yields how many bodies went, or the refusal that says why none did."""
    for month in months_to_drop(database_now()):
        try:
            yield month, drop_month(month.partition)
        except Conflict as refusal:
            yield month, refusal


def drop_month(partition: str) -> int:
    """Drop one month's bodies as the tables' owner and record it, in one transaction; returns how many.

    Raises `NotOld`, `NotSealed`, `MonthHeld`.
    """
    with transaction.atomic(using=OWNER):
        no_new_holds(OWNER)
        month = next(
            (each for each in months_to_drop(database_now()) if each.partition == partition), None
        )
        if month is None:
            raise NotOld(partition)
        if Pending.objects.filter(
            inserted_at__gte=month.since, inserted_at__lt=month.until
        ).exists():
            raise NotSealed(month)
        if hold := hold_on_events(month.events()):
            raise MonthHeld(month, hold)
        with connections[OWNER].cursor() as cursor:
            cursor.execute("SELECT events, leaves_sha256 FROM audit_retire(%s)", [partition])
            events, leaves = cursor.fetchone()
        record(
            type="retention.dropped",
            actor=RETENTION,
            stream="log",
            facts={
                "partition": partition,
                "since": month.since,
                "until": month.until,
                "events": events,
                "leaves_sha256": f"sha256:{bytes(leaves).hex()}",
            },
            using=OWNER,
        )
    return int(events)

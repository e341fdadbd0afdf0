"""Which months of the log are old, and what is left of those whose bodies were dropped."""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from audit.models import Event, EventQuerySet
from audit.record_keeping import Retired, RetiredStream

_MONTHS = """
SELECT relname, pg_get_expr(relpartbound, pg_class.oid) FROM pg_inherits
JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'audit_event'::regclass AND pg_get_expr(relpartbound, pg_class.oid) <> 'DEFAULT'
ORDER BY relname
"""
_BOUND = re.compile(r"'([^']+)'")


@dataclass(frozen=True)
class Month:
    """One monthly partition of the event table: from `since` (included) to `until` (excluded)."""

    partition: str
    since: dt.datetime
    until: dt.datetime

    def events(self) -> EventQuerySet:
        """The events that lie in it."""
        return Event.objects.between(self.since, self.until)


def kept_for() -> dt.timedelta:
    """How long bodies are kept at least."""
    return dt.timedelta(days=settings.COUNTERSIGN.audit_retention_days)


def months() -> list[Month]:
    """The months whose bodies are there, those made ahead of time included, the oldest first."""
    with connection.cursor() as cursor:
        # Bounds are written in the session's time zone, which is UTC.
        cursor.execute(_MONTHS)
        rows = cursor.fetchall()
    return [
        Month(name, *map(dt.datetime.fromisoformat, _BOUND.findall(bounds)))
        for name, bounds in rows
    ]


def months_to_drop(now: dt.datetime) -> list[Month]:
    """Months that are wholly older than bodies have to be kept, the oldest first."""
    return [month for month in months() if month.until <= now - kept_for()]


def dropped_at(moment: dt.datetime) -> Retired | None:
    """The dropped month in which an event inserted at this moment lay; None where bodies are kept."""
    return Retired.objects.filter(since__lte=moment, until__gt=moment).first()


def dropped_from(stream: str, seq: int) -> RetiredStream | None:
    """The dropped part of a stream that held its event number `seq`; None where it was not dropped."""
    return (
        RetiredStream.objects.filter(stream=stream, first_seq__lte=seq, last_seq__gte=seq)
        .select_related("partition")
        .first()
    )


def leaves_of(since: dt.datetime, until: dt.datetime) -> tuple[int, bytes]:
    """How many leaves the log has of events of this span, and the digest over them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT leaves, leaves_sha256 FROM audit_leaves_of(%s, %s)", [since, until])
        leaves, digest = cursor.fetchone()
    return int(leaves), bytes(digest)


@dataclass
class Place:
    """How far a stream has been followed: number and leaf hash of the last event, dropped ones included."""

    seq: int = 0
    head: bytes | None = None

    def past_dropped(self, stream: str) -> None:
        """Go on over the dropped parts that continue the stream from here."""
        for part in _dropped_after(stream, self.seq):
            link = None if part.prev is None else bytes(part.prev)
            if part.first_seq != self.seq + 1 or link != self.head:
                return
            self.seq, self.head = part.last_seq, bytes(part.head)


def _dropped_after(stream: str, seq: int) -> Iterator[RetiredStream]:
    parts = RetiredStream.objects.filter(stream=stream, first_seq__gt=seq)
    yield from parts.order_by("first_seq")

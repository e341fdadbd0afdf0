"""Sealed events in the order of the log, read in batches so that memory does not grow with their number."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import Exists, F, Func, Max, Min, OuterRef, TextField
from django.db.models.expressions import Value

from audit.copying import SEPARATOR, copied
from audit.disclosures import CannotOpen
from audit.keyring import open_disclosure
from audit.models import Disclosure, EventQuerySet, Leaf
from audit.record_keeping import Retired

PLACES_A_BATCH: Final = 20_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sealed:
    """An event at its place in the log."""

    index: int
    id: UUID
    body: bytes


def places(since: dt.datetime | None, until: dt.datetime | None, size: int) -> tuple[int, int]:
    """The places from the first to behind the last event that was inserted in that time; (size, size) for none."""
    leaves = Leaf.objects.filter(index__lt=size)
    first, end = 0, size
    if since is not None:
        found = leaves.filter(event_inserted_at__gte=since).aggregate(place=Min("index"))["place"]
        first = size if found is None else found
    if until is not None:
        found = leaves.filter(event_inserted_at__lt=until).aggregate(place=Max("index"))["place"]
        end = 0 if found is None else found + 1
    return (first, end) if first < end else (size, size)


def dropped(first: int, end: int) -> int:
    """At how many of these places the event was dropped with its month, after its time."""
    month = Retired.objects.filter(
        since__lte=OuterRef("event_inserted_at"), until__gt=OuterRef("event_inserted_at")
    )
    return Leaf.objects.filter(Exists(month), index__gte=first, index__lt=end).count()


def batches(events: EventQuerySet, first: int, end: int) -> Iterator[list[Sealed]]:
    """Those of the events that stand at the places from `first` to before `end`, some places at a time.

    Between batches the connection is free for other statements.
    """
    for start in range(first, end, PLACES_A_BATCH):
        yield _batch(events, start, min(start + PLACES_A_BATCH, end))


def disclosures_of(batch: list[Sealed]) -> dict[UUID, list[bytes]]:
    """The encoded disclosures of each event, in the order of their digests; what cannot be opened is left out."""
    found: dict[UUID, list[bytes]] = defaultdict(list)
    rows = Disclosure.objects.filter(event__in=[each.id for each in batch])
    for row in rows.select_related("key").order_by("event", "digest").iterator(2_000):
        try:
            found[row.event].append(open_disclosure(row))
        except CannotOpen as error:
            log.warning("export_disclosure_unreadable", event=str(row.event), error=str(error))
    return found


def _batch(events: EventQuerySet, first: int, end: int) -> list[Sealed]:
    leaves = Leaf.objects.filter(index__gte=first, index__lt=end)
    bounds = leaves.aggregate(low=Min("event_inserted_at"), high=Max("event_inserted_at"))
    if bounds["low"] is None:
        return []
    # The bounds keep PostgreSQL to the few partitions, and the part of them, that the places lie in.
    chosen = (
        events.filter(inserted_at__gte=bounds["low"], inserted_at__lte=bounds["high"])
        .order_by()
        .annotate(
            text=Func(F("body"), Value("UTF8"), function="convert_from", output_field=TextField())
        )
        .values_list("id", "inserted_at", "text")
    )
    sql, params = chosen.query.sql_with_params()
    table = connection.ops.quote_name(Leaf._meta.db_table)
    # Names of tables alone and what Django made; all values are parameters.
    query = (
        f"SELECT leaf.index, chosen.id, chosen.text FROM {table} AS leaf "  # noqa: S608
        f"JOIN ({sql}) AS chosen (id, inserted_at, text) "
        "ON chosen.id = leaf.event AND chosen.inserted_at = leaf.event_inserted_at "
        "WHERE leaf.index >= %s AND leaf.index < %s ORDER BY leaf.index"
    )
    found = []
    for line in copied((query, (*params, first, end))):
        index, event, body = line.split(SEPARATOR, 2)
        found.append(Sealed(int(index), UUID(event.decode()), body))
    return found

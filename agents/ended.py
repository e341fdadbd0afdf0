"""Runs that ended, in the order of their ends, for whoever counts them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q

from agents.models import Run


def ended_after(since: datetime, after: UUID, *, most: int) -> list[tuple[datetime, UUID]]:
    """When they ended and their ids, of at most so many after that moment and, at that moment, that id."""
    rows = Run.objects.filter(finished_at__gte=since).filter(
        Q(finished_at__gt=since) | Q(finished_at=since, pk__gt=after)
    )
    found = rows.order_by("finished_at", "id").values_list("finished_at", "pk")[:most]
    return [(at, pk) for at, pk in found if at is not None]


def undone_by(ids: Collection[UUID]) -> list[UUID]:
    """The runs of which these undid something."""
    undoing = Run.objects.filter(pk__in=ids, undoes__isnull=False)
    return list(undoing.annotate(of=F("undoes__run")).values_list("of", flat=True))

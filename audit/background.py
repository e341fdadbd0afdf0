"""Work that somebody asked for and a worker does once, whoever is killed over it: what such rows share.

A row waits (`queued`), has a worker (`running`) and ends in a state of its own kind, or in `failed`. The attempt at
work holds it and gives signs of life; one that gave none for the length of the lease is taken over by another.
"""

import datetime as dt
from typing import Any, Final, Self, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from audit.clock import database_now

QUEUED: Final = "queued"
RUNNING: Final = "running"
UNHEARD: Final = dt.timedelta(seconds=30)

Row = TypeVar("Row", bound="BackgroundWork")


class BackgroundWorkQuerySet(models.QuerySet[Row]):
    """The words in which such work is asked for, and taken."""

    def underway(self) -> Self:
        """What waits for a worker or has one."""
        return self.filter(state__in=[QUEUED, RUNNING])

    def unheard(self) -> Self:
        """What no worker has heard of, or whose worker has given no sign of life, for too long."""
        now = database_now()
        return self.filter(Q(state=QUEUED, created_at__lt=now - UNHEARD) | _without_worker(now))

    def free(self, pk: UUID) -> Self:
        """The row, if it waits or its worker went away."""
        return self.filter(pk=pk).filter(Q(state=QUEUED) | _without_worker(database_now()))

    def take(self, pk: UUID, **changes: Any) -> Self | None:
        """The row as this attempt's own, as long as nobody takes it over; None when it is not free, or was
        attempted as often as it may be."""
        holder = uuid4()
        taken = (
            self.free(pk)
            .filter(attempts__lt=settings.COUNTERSIGN.export_attempts)
            .update(
                state=RUNNING,
                holder=holder,
                beat_at=database_now(),
                attempts=F("attempts") + 1,
                **changes,
            )
        )
        return self.filter(pk=pk, holder=holder, state=RUNNING) if taken else None


def lease() -> dt.timedelta:
    """How long an attempt may give no sign of life."""
    return dt.timedelta(seconds=settings.COUNTERSIGN.export_lease_seconds)


def _without_worker(now: dt.datetime) -> Q:
    beat_before = now - lease()
    return Q(state=RUNNING, beat_at__lt=beat_before) | Q(state=RUNNING, beat_at=None)


class BackgroundWork(models.Model):
    """Who asked for it and when, how often it was attempted, who holds it, and why it failed.

    `holder` is the attempt at work and `beat_at` its last sign of life.
    """

    asked_by = models.TextField()
    problem = models.TextField(blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    holder = models.UUIDField(null=True)
    beat_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

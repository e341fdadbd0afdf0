"""The story of one run or one request: its events in order, and whether any is missing."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from django.db.models import Count

from audit.models import Event, EventQuerySet, Stream
from audit.ports import Person
from audit.rows import Row, rows_of

LONGEST: Final = 1_000
# What passes in less is no gap worth a word.
GAP: Final = dt.timedelta(minutes=1)

About = Literal["run", "request"]


@dataclass(frozen=True)
class Line:
    """One event of a story; `gap` is the time since the one before where it is worth a word."""

    row: Row
    gap: dt.timedelta | None


@dataclass(frozen=True)
class Story:
    """What happened, oldest first, at most a thousand events; `more` where there are others after them.

    `missing` counts numbers of its streams that are not there, `took` is the time from the first event to the last.
    """

    lines: Sequence[Line]
    missing: int
    more: bool
    took: dt.timedelta

    @property
    def runs(self) -> set[UUID]:
        """The runs that its events name."""
        return {line.row.event.run for line in self.lines if line.row.event.run}


def story_of(about: About, pk: UUID, *, viewer: Person) -> Story | None:
    """The story; None where the viewer sees no event of it. Three statements, and one for names."""
    seen = Event.objects.visible_to(viewer)
    found = seen.by_run(pk) if about == "run" else seen.by_request(pk)
    events = list(found.oldest_first()[: LONGEST + 1])
    if not events:
        return None
    shown, more = events[:LONGEST], len(events) > LONGEST
    lines = []
    before: dt.datetime | None = None
    for row in rows_of(shown):
        gap = row.event.occurred_at - before if before else None
        lines.append(Line(row, gap if gap and gap >= GAP else None))
        before = row.event.occurred_at
    took = shown[-1].occurred_at - shown[0].occurred_at
    return Story(lines, _missing(seen, {event.stream for event in events}), more, took)


def _missing(seen: EventQuerySet, streams: set[str]) -> int:
    """How many numbers of these streams are not there, by their heads."""
    heads = sum(Stream.objects.filter(name__in=streams).values_list("seq", flat=True))
    there = seen.filter(stream__in=streams).aggregate(there=Count("pk"))["there"]
    return max(0, heads - int(there))

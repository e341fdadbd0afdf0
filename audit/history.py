"""The log as other apps may read it: the bodies of some types, up to a moment."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from audit.models import Event
from audit.record_keeping import Retired

_EVENTS_AT_A_TIME = 2_000


@dataclass(frozen=True)
class Recorded:
    """One event: its id, when the database inserted it, and its body."""

    id: UUID
    at: dt.datetime
    body: dict[str, Any]

    @property
    def facts(self) -> dict[str, Any]:
        """The body's facts."""
        facts: dict[str, Any] = self.body.get("facts", {})
        return facts


def recorded_before(moment: dt.datetime, *types: str) -> Iterator[Recorded]:
    """Events of these types that were inserted before the moment, the oldest first."""
    found = Event.objects.of_type(*types).between(None, moment).oldest_first()
    for event in found.iterator(_EVENTS_AT_A_TIME):
        yield Recorded(event.pk, event.inserted_at, orjson.loads(bytes(event.body)))


def kept_since() -> dt.datetime | None:
    """The moment before which bodies are no longer kept; None where all are."""
    return Retired.objects.order_by("-until").values_list("until", flat=True).first()

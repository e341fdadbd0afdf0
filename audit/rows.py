"""Events as a list shows them: a sentence and what it links to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from audit.models import Event
from audit.people import names_of
from audit.sentences import actor_name, people_in, sentence


@dataclass(frozen=True)
class Row:
    """One event for a page: the row itself, its parsed body, and both in words."""

    event: Event
    body: dict[str, Any]
    sentence: str
    actor: str


def rows_of(events: Iterable[Event]) -> list[Row]:
    """The events as rows, with people's names looked up once for all of them."""
    read = [(event, orjson.loads(bytes(event.body))) for event in events]
    names = names_of(set().union(*(people_in(body) for _, body in read)))
    return [
        Row(event, body, sentence(body, names), actor_name(body["actor"], names))
        for event, body in read
    ]

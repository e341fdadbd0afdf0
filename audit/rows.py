"""Events as a list shows them: a sentence and what it links to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from django.utils.translation import gettext

from audit.models import Event
from audit.naming import Kind, things_in, words_for
from audit.people import names_of
from audit.sentences import actor_name, people_in, sentence
from audit.wordings import Words

_PERSON: Final = "person:"
_STORIES: Final = Words(
    {
        "request": "the story of this request",
        "run": "the story of this run",
        "policy": "what is told of policies",
        "log": "what is told of the installation",
    }
)


@dataclass(frozen=True)
class Row:
    """One event for a page: the row itself, its parsed body, and in words what it says, who acted, and the
    stream that it stands in; the words for its agent and its tool, empty where it has none."""

    event: Event
    body: dict[str, Any]
    sentence: str
    actor: str
    about: str
    agent: str
    tool: str

    @property
    def told_of(self) -> str:
        """The story that it stands in, in words."""
        kind = self.event.stream.partition(":")[0]
        return _STORIES.get(kind) or gettext("what is told of {about}").format(about=self.about)

    @property
    def known_by(self) -> str:
        """How a person was known when they acted; empty where nobody signed in."""
        way = self.body["actor"]["auth"]
        return (
            gettext("in the browser")
            if way == "session"
            else gettext("with an API token")
            if way != "none"
            else ""
        )


def rows_of(events: Iterable[Event]) -> list[Row]:
    """The events as rows, with names looked up once for all of them."""
    read = [(event, orjson.loads(bytes(event.body))) for event in events]
    people = {
        event.stream.removeprefix(_PERSON) for event, _ in read if event.stream.startswith(_PERSON)
    }
    names = names_of(people.union(*(people_in(body) for _, body in read)))
    things: set[tuple[Kind, str]] = {
        ("agent", event.agent) for event, _ in read if event.agent
    }.union(*(things_in(body) for _, body in read))
    names |= words_for(things)
    return [
        Row(
            event,
            body,
            sentence(body, names),
            actor_name(body["actor"], names),
            _about(event.stream, names),
            names.get(f"agent:{event.agent}", event.agent or ""),
            names.get(f"tool:{event.tool}", event.tool or ""),
        )
        for event, body in read
    ]


def _about(stream: str, names: Mapping[str, str]) -> str:
    """What a stream is called: a person, an agent by their name."""
    person = stream.removeprefix(_PERSON)
    if stream == "log":
        return gettext("The installation")
    if stream == "policy":
        return gettext("The policies")
    if stream.startswith("agent:"):
        return names.get(stream, stream.removeprefix("agent:"))
    return (
        names.get(person) or gettext("person {person}").format(person=person)
        if stream.startswith(_PERSON)
        else stream
    )

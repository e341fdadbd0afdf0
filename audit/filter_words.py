"""What somebody filtered by, as a page says it: words for the conditions, names for people."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from audit.people import names_of

_LABELS: Final = {
    "person": "Person",
    "agent": "Agent",
    "tool": "Tool",
    "type": "What happened",
    "run": "Run",
    "request": "Request",
    "stream": "Story",
    "sample": "Sample",
    "since": "From",
    "until": "To",
}
_MOMENTS: Final = ("since", "until")


class Condition(NamedTuple):
    """One condition in words; `is_code` where the value is a name that programs use."""

    label: str
    value: str
    is_code: bool


def conditions(given: Mapping[str, str]) -> list[Condition]:
    """The conditions that `EventFilter.given()` wrote, in the order of the search's form."""
    names = names_of(_people(given))
    return [
        Condition(label, _value(name, given[name], names), name not in ("person", *_MOMENTS))
        for name, label in _LABELS.items()
        if name in given
    ]


def _people(given: Mapping[str, str]) -> Iterable[str]:
    return {given["person"]} if "person" in given else set()


def _value(name: str, value: str, names: Mapping[str, str]) -> str:
    if name == "person":
        return names.get(value, f"person {value}")
    if name in _MOMENTS:
        moment = dt.datetime.fromisoformat(value)
        return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
    return value

"""What was asked for, in words: stored filters as an auditor reads them."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from audit.people import names_of
from audit.wordings import Words

_LABELS: Final = Words(
    {
        "type": "What happened",
        "person": "Person",
        "agent": "Agent",
        "tool": "Tool",
        "run": "Run",
        "request": "Request",
        "stream": "Story",
        "sample": "Sample",
        "since": "From",
        "until": "Before",
    }
)
_MOMENTS: Final = frozenset({"since", "until"})
_IDS: Final = frozenset({"run", "request", "sample"})


@dataclass(frozen=True)
class Condition:
    """One condition: what it is about, what it asks for, and the same in short for a line of a list."""

    label: str
    value: str
    short: str


def in_words(all_given: Collection[Mapping[str, str]]) -> list[list[Condition]]:
    """The conditions of each of the filters that `EventFilter.given` wrote, in the order of the search's fields,
    with people by name. One statement for all of them."""
    names = names_of({given["person"] for given in all_given if "person" in given})
    return [
        [_condition(name, given[name], names) for name in _LABELS if name in given]
        for given in all_given
    ]


def _condition(name: str, value: str, names: Mapping[str, str]) -> Condition:
    said = value
    if name == "person":
        said = names.get(value, f"person {value}")
    elif name in _MOMENTS:
        said = f"{dt.datetime.fromisoformat(value):%-d %B %Y, %H:%M:%S} UTC"
    label = _LABELS[name]
    short = f"…{value[-8:]}" if name in _IDS else said
    # Types say what they are by themselves.
    short = short if name == "type" else f"{label.lower()} {short}"
    return Condition(label, said, short)

"""What agents, tools, review groups, calendars and roles are called on pages: the log itself holds only the names by
which programs know them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal

Kind = Literal["agent", "tool", "group", "calendar", "role"]
#: The words for those of the names that are known.
Find = Callable[[Collection[str]], Mapping[str, str]]

_found_by: dict[Kind, Find] = {}


def name_with(kind: Kind, find: Find) -> None:
    """Let the app that has things of this kind say what they are called."""
    _found_by[kind] = find


def things_in(body: Mapping[str, Any]) -> Iterator[tuple[Kind, str]]:
    """What the event's sentence names besides people."""
    facts = body.get("facts", {})
    held = facts.get("target") if facts.get("scope") == "agent" else None
    if body["actor"]["kind"] == "agent":
        yield "agent", body["actor"]["id"]
    named: tuple[tuple[Kind, Any], ...] = (
        ("agent", body.get("agent", {}).get("slug")),
        ("agent", facts.get("to")),
        ("agent", held),
        ("tool", body.get("action", {}).get("tool")),
        ("tool", facts.get("tool")),
        ("group", facts.get("group")),
        ("calendar", facts.get("calendar")),
    )
    for kind, name in named:
        if name:
            yield kind, str(name)
    if body["type"] == "role.changed":
        for role in (*facts.get("added", ()), *facts.get("removed", ())):
            yield "role", role


def words_for(things: Collection[tuple[Kind, str]]) -> dict[str, str]:
    """What they are called now, by `kind:name`; one lookup for each kind. What nobody knows is left out."""
    called: dict[str, str] = {}
    for kind, find in _found_by.items():
        names = {name for each, name in things if each == kind}
        if names:
            called |= {f"{kind}:{name}": words for name, words in find(names).items()}
    return called

"""The keys of the pages: what each does, which one it is by default, and what may be chosen instead. Pure."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from django.utils.translation import gettext

from audit.wordings import Words

Group = Literal["everywhere", "go", "list", "request"]

GROUPS: Final = Words(
    {
        "everywhere": "On every page",
        "go": "Go to",
        "list": "In a list",
        "request": "On a request",
    }
)
#: Keys with a name that may be chosen; the others move, scroll, type or belong to the browser.
NAMED: Final = ("Escape", "Delete", "F2", "F8")
SHOWN: Final = Words({"Escape": "Esc", "Delete": "Del"})


@dataclass(frozen=True)
class Action:
    """What a key does. `key` is the one by default; those of the group "go" are pressed after the key of `go`."""

    name: str
    title: str
    key: str
    group: Group


ACTIONS: Final = {
    action.name: action
    for action in (
        Action("go", "Go to a page: this key, then the page's", "g", "everywhere"),
        Action("back", "Back to the list", "Escape", "everywhere"),
        Action("help", "Show these keys", "?", "everywhere"),
        Action("go_inbox", "Inbox", "i", "go"),
        Action("go_runs", "Runs", "r", "go"),
        Action("go_agents", "Agents", "a", "go"),
        Action("go_policies", "Policies", "p", "go"),
        Action("go_audit", "Audit", "d", "go"),
        Action("next", "Next row", "j", "list"),
        Action("previous", "Previous row", "k", "list"),
        Action("open", "Open the row", "o", "list"),
        Action("open_next", "Open the next row", "]", "list"),
        Action("open_previous", "Open the previous row", "[", "list"),
        Action("accept", "Let new rows in", ".", "list"),
        Action("select", "Select the row, to decide several together", "x", "list"),
        Action("approve", "Approve (never a critical one)", "a", "request"),
        Action("edit", "Edit and approve", "e", "request"),
        Action("send_back", "Send back", "/", "request"),
        Action("reject", "Reject", "r", "request"),
        Action("claim", "Claim, or let go", "c", "request"),
        Action("snooze", "Snooze for the time that is chosen, or take it back", "s", "request"),
        Action("undo", "Take an approval back", "u", "request"),
    )
}
DEFAULTS: Final = {action.name: action.key for action in ACTIONS.values()}


def written(typed: str) -> str:
    """A key as it is kept: letters small, named keys as the browser calls them."""
    text = typed.strip()
    for name in NAMED:
        if text.casefold() in (name.casefold(), SHOWN.get(name, name).casefold()):
            return name
    # What has no small letter of one character stays as it is.
    return text.lower() if len(text.lower()) == 1 else text


def complaints(keys: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a choice of keys, a sentence by action; `keys` are as `written` makes them, empty for none."""
    found: dict[str, str] = {}
    for name, key in keys.items():
        if why := _why_not(key):
            found[name] = why
        elif same := _same(name, key, keys):
            found[name] = gettext(
                "This is the key of “{title}” too. Each key does one thing."
            ).format(title=gettext(ACTIONS[same].title))
    return found


def _why_not(key: str) -> str:
    if not key or key in NAMED:
        return ""
    if len(key) == 1 and key in "0123456789":
        return gettext("Digits pick reasons. Choose another key.")
    if len(key) == 1 and key.isprintable() and unicodedata.category(key)[0] in "LPS":
        return ""
    return gettext(
        "Type one letter or sign, or one of the names Escape, Delete, F2 and F8. The "
        "others move, type or belong to the browser."
    )


def _same(name: str, key: str, keys: Mapping[str, str]) -> str:
    after_go = ACTIONS[name].group == "go"
    for other, its in keys.items():
        if key and other != name and its == key and (ACTIONS[other].group == "go") == after_go:
            return other
    return ""


@dataclass(frozen=True)
class KeyMap:
    """A person's keys: whether they work at all, and the key of every action, empty for none."""

    off: bool
    keys: Mapping[str, str]

    @classmethod
    def read(cls, chosen: Mapping[str, Any]) -> KeyMap:
        """From what is stored: `off`, and `keys` with those that differ from the defaults."""
        given = chosen.get("keys", {})
        own = {name: key for name, key in given.items() if name in ACTIONS}
        return cls(bool(chosen.get("off")), {**DEFAULTS, **own})

    @property
    def chosen(self) -> dict[str, Any]:
        """As it is stored; empty where all is as by default."""
        own = {name: key for name, key in self.keys.items() if key != DEFAULTS[name]}
        return {**({"off": True} if self.off else {}), **({"keys": own} if own else {})}

    @property
    def in_force(self) -> dict[str, str]:
        """The keys that work, by action."""
        return {} if self.off else {name: key for name, key in self.keys.items() if key}

    @property
    def as_json(self) -> str:
        """`in_force` for the script of the pages."""
        return json.dumps(self.in_force)

    @cached_property
    def hints(self) -> dict[str, str]:
        """What stands on a button beside its words, by action."""
        return {name: SHOWN.get(key, key) for name, key in self.in_force.items()}

    @property
    def groups(self) -> list[tuple[str, list[tuple[Action, str]]]]:
        """Every action with its key as it is shown, empty for none, in the order of the overlay."""
        return [
            (
                title,
                [
                    (action, self.hints.get(action.name, ""))
                    for action in ACTIONS.values()
                    if action.group == group
                ],
            )
            for group, title in GROUPS.items()
        ]

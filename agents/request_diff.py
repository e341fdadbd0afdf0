"""What differs between two requests to a model, or between two decisions of a workflow's code, part by part. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Final

from django.utils.translation import gettext

from agents.version_diff import Change
from agents.wording import plain
from approvals.line_diff import Line, line_by_line

#: More than these are counted, not listed.
MOST_CHANGES: Final = 40
MOST_LINES: Final = 200
LONGEST_LINE: Final = 2_000
#: Long texts are compared sentence by sentence, and JSON entry by entry.
_ENDS: Final = re.compile(r"(?<=[.!?;])[ \t]+|(?<=[}\],])[ \t]+(?=[\"{\[])")


def request_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs from one chat-completions request to another, messages first."""
    return _bounded(
        [
            *_messages(old.get("messages") or [], new.get("messages") or []),
            *_tools(old.get("tools") or [], new.get("tools") or []),
            *_values(old, new, {"messages", "tools"}),
        ]
    )


def decision_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs from one decision of a workflow's code to another."""
    return _bounded(list(_values(old, new, set())))


def _bounded(changes: list[Change]) -> list[Change]:
    if len(changes) <= MOST_CHANGES:
        return changes
    more = gettext("{number} more differences").format(number=len(changes) - MOST_CHANGES + 1)
    return [*changes[: MOST_CHANGES - 1], Change("more", more, "changed")]


def _messages(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    """Equal messages stand for each other, and between them those at the same place."""
    one, other = ([json.dumps(each, sort_keys=True) for each in side] for side in (old, new))
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag != "equal":
            places = zip_longest(range(a, b), range(c, d))
            for before, after in places:
                yield from _message(
                    old[before] if before is not None else {},
                    new[after] if after is not None else {},
                    (after if after is not None else before or 0) + 1,
                )


def _message(old: Mapping[str, Any], new: Mapping[str, Any], number: int) -> Iterator[Change]:
    role = str((new or old).get("role") or "")
    title = gettext("Message {number}, {role}").format(number=number, role=role)
    kind = "changed" if old and new else "added" if new else "removed"
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name) and (name != "role" or (old and new)):
            named = title if name == "content" else f"{title}: {plain(name).lower()}"
            yield _change(f"messages.{number}.{name}", named, kind, old.get(name), new.get(name))


def _tools(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    before, after = ({_name(tool): tool for tool in side} for side in (old, new))
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        title = gettext("The tool {name}").format(name=plain(name))
        if was is None or now is None:
            kind = "added" if was is None else "removed"
            yield _change(f"tools.{name}", title, kind, was, now)
            continue
        for part in dict.fromkeys((*was["function"], *now["function"])):
            one, other = was["function"].get(part), now["function"].get(part)
            if one != other:
                named = f"{title}: {plain(part).lower()}"
                yield _change(f"tools.{name}.{part}", named, "changed", one, other)
    if list(before) != list(after) and before.keys() == after.keys():
        title = gettext("The order of its tools")
        yield Change("tools", title, "changed", ", ".join(before), ", ".join(after))


def _name(tool: Any) -> str:
    return str(tool["function"]["name"])


def _values(old: Mapping[str, Any], new: Mapping[str, Any], apart: set[str]) -> Iterator[Change]:
    for name in dict.fromkeys((*old, *new)):
        if name not in apart and old.get(name) != new.get(name):
            kind = "changed" if name in old and name in new else "added"
            kind = "removed" if name not in new else kind
            yield _change(name, plain(name), kind, old.get(name), new.get(name))


def _change(part: str, title: str, kind: str, old: Any, new: Any) -> Change:
    lines = list(line_by_line(_lines(old), _lines(new)))
    if not any(line.mark in "+-" for line in lines):
        lines = [Line("…", gettext("Only blanks, or how its lines are broken."))]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], Line("…", "")]
    return Change(part, title, kind, lines=tuple(lines))


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
    pieces = (piece for line in text.splitlines() for piece in _ENDS.split(line))
    return [piece if len(piece) <= LONGEST_LINE else f"{piece[:LONGEST_LINE]}…" for piece in pieces]

"""The difference between two versions of an agent, part by part, whole enough to read before activating. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from django.utils.translation import gettext

from agents.definition_words import as_json, field_in_words, in_words, tool_in_words
from agents.version_changes import PARTS
from agents.wording import plain
from approvals.line_diff import Line, line_by_line

#: Of a definition: how it is written down, and what is told part by part.
_APART: Final = frozenset(
    {"schema", "slug", "instructions", "budget", "tools", "flow", "input", "output"}
)
_TEXTS: Final = frozenset({"description"})
_FIELDS: Final = frozenset({"properties", "required", "title", "description"})
_USUAL: Final = {"type": "object", "additionalProperties": False}
_FIRST: Final = ("risk", "effects", "effect_class", "reversible", "trust", "version")


@dataclass(frozen=True)
class Change:
    """One thing that differs. `part` names it for programs (`budget.steps`, `tools.pay.arguments.amount`),
    `title` for people; `kind` is added, removed or changed. Texts of several lines are in `lines`.
    `tool` is the name of the tool that it is about, whose words are in the title."""

    part: str
    title: str
    kind: str
    before: str | None = None
    after: str | None = None
    lines: tuple[Line, ...] = ()
    tool: str = ""

    def as_json(self) -> dict[str, Any]:
        """As the API tells it."""
        return {
            "part": self.part,
            "title": self.title,
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
            "lines": [{"mark": line.mark, "text": line.text} for line in self.lines],
        }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs from one recorded definition to another; all that is in `new` where `old` is empty."""
    return list(_differences(old, new))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _text("instructions", gettext("Its instructions"), old, new)
    rest = (old.keys() | new.keys()) - _APART
    for name in (*(part for part in PARTS if part in rest), *sorted(rest - PARTS.keys())):
        yield from _value(name, PARTS.get(name, f"Its {plain(name).lower()}"), old, new)
    before, after = old.get("budget") or {}, new.get("budget") or {}
    for name in dict.fromkeys((*after, *before)):
        yield from _value(
            name,
            gettext("Its limit of {what}").format(what=plain(name).lower()),
            before,
            after,
            under="budget.",
        )
    yield from _tools(old, new)
    yield from _flow(old.get("flow") or {}, new.get("flow") or {})
    for name, title in (
        ("input", gettext("What it takes")),
        ("output", gettext("What it answers with")),
    ):
        yield from _schema(name, title, old.get(name) or {}, new.get(name) or {})


def _tools(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before = {tool["name"]: tool for tool in old.get("tools", ())}
    after = {tool["name"]: tool for tool in new.get("tools", ())}
    for name in dict.fromkeys((*after, *before)):
        for change in _tool(name, before.get(name), after.get(name)):
            yield replace(change, tool=name)


def _tool(
    name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Iterator[Change]:
    part, title = f"tools.{name}", gettext("The tool {name}").format(name=plain(name))
    if old is None or new is None:
        was, now = (tool_in_words(side) if side else None for side in (old, new))
        yield Change(part, title, _kind(was, now), was, now)
        return
    facets = dict.fromkeys((*_FIRST, *sorted(old.keys() | new.keys())))
    for facet in facets:
        called = f"{title}: {plain(facet).lower()}"
        if facet in _TEXTS:
            yield from _text(facet, called, old, new, under=f"{part}.")
        elif facet == "schema":
            yield from _schema(f"{part}.arguments", title, old.get(facet) or {}, new[facet])
        else:
            yield from _value(facet, called, old, new, under=f"{part}.")


def _flow(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Where a workflow starts, and its states one by one."""
    yield from _value("start", gettext("Where its workflow starts"), old, new, under="flow.")
    yield from _value(
        "version", gettext("The version of its workflow's code"), old, new, under="flow."
    )
    before = {state["name"]: state for state in old.get("states", ())}
    after = {state["name"]: state for state in new.get("states", ())}
    for name in dict.fromkeys((*after, *before)):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        part, title = f"flow.states.{name}", gettext("The state {name}").format(name=name)
        texts = [_state_in_brief(state) if state else "" for state in (was, now)]
        if texts[0] == texts[1]:
            yield Change(part, title, "changed", before=as_json(was), after=as_json(now))
        else:
            lines = tuple(line_by_line(*(text.splitlines() for text in texts)))
            kind = _kind(texts[0] or None, texts[1] or None)
            yield Change(part, title, kind, lines=lines)


def _state_in_brief(state: Mapping[str, Any]) -> str:
    """A state line by line: what it is for, where it leads, what a model answers there, and its code."""
    leads = ", ".join(state.get("to") or ())
    ends = gettext("may end the run") if state.get("ends") or not leads else ""
    said = [
        state.get("about") or "",
        "; ".join(
            part
            for part in (gettext("leads to {leads}").format(leads=leads) if leads else "", ends)
            if part
        ),
        *(
            gettext("the model answers with {name}: {field}").format(
                name=name, field=field_in_words(field, name)
            )
            for name, field in _fields(state.get("asks") or {}).items()
        ),
        gettext("code {code}").format(code=str(state.get("source")).removeprefix("sha256:")[:12]),
    ]
    return "\n".join(line for line in said if line)


def _schema(
    part: str, title: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Change]:
    """Fields of a JSON Schema, each with whether it is required; then what else the schema says."""
    before, after = _fields(old), _fields(new)
    for name in dict.fromkeys((*after, *before)):
        if before.get(name) == after.get(name):
            continue
        was, now = (
            field_in_words(side[name], name) if name in side else None for side in (before, after)
        )
        yield _told(
            f"{part}.{name}", f"{title}: {name}", (was, now), before.get(name), after.get(name)
        )
    for name in sorted((old.keys() | new.keys()) - _FIELDS):
        # That it is an object which takes no other fields is so of nearly all, and said where it differs.
        if old or new.get(name) != _USUAL.get(name):
            yield from _value(name, _beside(title, name), old, new, under=f"{part}.")


def _beside(title: str, keyword: str) -> str:
    """What a keyword of a schema is called that stands beside its fields."""
    if keyword == "additionalProperties":
        return gettext("{title}: whether it takes other fields").format(title=title)
    return f"{title}: {keyword.removeprefix('$')}"


def _fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    required = set(schema.get("required") or ())
    return {
        name: {**field, "required": name in required}
        for name, field in (schema.get("properties") or {}).items()
    }


def _value(
    name: str, title: str, old: Mapping[str, Any], new: Mapping[str, Any], *, under: str = ""
) -> Iterator[Change]:
    if old.get(name) == new.get(name):
        return
    before, after = (side.get(name) for side in (old, new))
    was, now = (in_words(side[name], name) if name in side else None for side in (old, new))
    yield _told(f"{under}{name}", title, (was, now), before, after)


def _told(
    part: str, title: str, told: tuple[str | None, str | None], before: Any, after: Any
) -> Change:
    """The change in these words; exactly as recorded, where they would say the same of both."""
    was, now = told if told[0] != told[1] else (as_json(before), as_json(after))
    return Change(part, title, _kind(was, now), was, now)


def _text(
    name: str, title: str, old: Mapping[str, Any], new: Mapping[str, Any], *, under: str = ""
) -> Iterator[Change]:
    before, after = str(old.get(name) or ""), str(new.get(name) or "")
    if before == after:
        return
    lines = tuple(line_by_line(before.strip().splitlines(), after.strip().splitlines()))
    if not any(line.mark in "+-" for line in lines):
        lines = (Line("…", gettext("Only blanks, or how its lines are broken.")),)
    yield Change(f"{under}{name}", title, _kind(before or None, after or None), lines=lines)


def _kind(before: str | None, after: str | None) -> str:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"

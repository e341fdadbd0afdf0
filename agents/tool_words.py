"""A tool as the page of its agent describes it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext

from agents import wording
from agents.rates import Rate
from agents.tool_health import Health
from approvals.vocabulary import Effect, Risk, is_consequential
from audit.wordings import Words

TYPES: Final = Words(
    {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "yes or no",
        "array": "list",
        "object": "object",
        "null": "nothing",
    }
)


@dataclass(frozen=True)
class FieldWords:
    """One argument. `notes` say what is special about it."""

    name: str
    title: str
    type: str
    description: str
    required: bool
    notes: list[str]


@dataclass(frozen=True)
class ToolWords:
    """One tool. `effects` are empty for one that only reads."""

    name: str
    title: str
    description: str
    risk: str
    effects: list[str]
    consequential: bool
    reversible: bool
    effect_class: str
    trust: str
    rate: Rate | None
    breaker: str
    open_until: datetime | None
    fields: list[FieldWords]


def tool_words(
    tool: Mapping[str, Any], health: Health | None = None, rate: Rate | None = None
) -> ToolWords:
    """The tool of a recorded definition; `health` and `rate` are those of the installed one."""
    schema = tool.get("schema") or {}
    required = set(schema.get("required") or ())
    effects = frozenset(Effect(effect) for effect in tool["effects"])
    consequential = is_consequential(Risk(tool["risk"]), effects)
    return ToolWords(
        name=tool["name"],
        title=wording.plain(tool["name"]),
        description=tool["description"],
        risk=tool["risk"],
        effects=[wording.EFFECTS.get(effect, wording.plain(effect)) for effect in sorted(effects)],
        consequential=consequential,
        reversible=bool(tool["reversible"]),
        effect_class=wording.EFFECT_CLASSES.get(tool["effect_class"], "") if consequential else "",
        trust=tool["trust"],
        rate=rate,
        breaker=wording.BREAKERS[health.state] if health else "",
        open_until=health.open_until if health and health.state == "open" else None,
        fields=[
            FieldWords(
                name=name,
                title=described.get("title") or wording.plain(name),
                type=type_words(described),
                description=described.get("description") or "",
                required=name in required,
                notes=_notes(name, tool),
            )
            for name, described in (schema.get("properties") or {}).items()
        ],
    )


def type_words(schema: Mapping[str, Any]) -> str:
    """The type of a JSON Schema in words."""
    if "enum" in schema:
        return gettext("one of ") + ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return gettext("always {schema}").format(schema=schema["const"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            kinds = [type_words(each) for each in schema[several]]
            # A decimal travels as a number or as a text of digits; a reader cares for the number.
            plain = [kind for kind in kinds if kind != "text"] if "number" in kinds else kinds
            return " or ".join(dict.fromkeys(plain))
    if "$ref" in schema:
        return "object"
    kind = schema.get("type", "anything")
    if kind == "array":
        return gettext("list of {schema}").format(schema=type_words(schema.get("items") or {}))
    if kind == "string" and schema.get("format") in ("date", "date-time", "email", "uuid", "uri"):
        return str(schema["format"]).replace("-", " and ")
    return TYPES.get(str(kind), str(kind))


def _notes(name: str, tool: Mapping[str, Any]) -> list[str]:
    notes = []
    if name in tool.get("identity", ()):
        notes.append(gettext("says what is acted on"))
    if name in tool.get("sensitive", ()):
        notes.append(gettext("sensitive: shown only with the permission"))
    if name in tool.get("cosmetic", ()):
        notes.append(gettext("may be changed without a second person"))
    return notes

"""The values of an agent's recorded definition in words, as its versions are read and compared. Pure.

Nothing is left out: what there is no word for stands as JSON, so that no difference goes unsaid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.utils.text import capfirst
from django.utils.translation import gettext

from agents.tool_words import TYPES
from agents.wording import CATEGORIES, EFFECTS, plain
from audit.spellings import number
from audit.wordings import Words

TRUSTS: Final = Words(
    {
        "trusted": "trusted: nobody outside writes it",
        "untrusted": "not trusted: it may hold text from outside",
    }
)
RISKS: Final = Words(
    {
        "low": "low risk",
        "medium": "medium risk",
        "high": "high risk",
        "critical": "critical risk",
    }
)
#: What a call may leave behind, in a few words.
REPEATS: Final = Words(
    {
        "transactional": "happens exactly once, with the run's own record",
        "idempotent": "may be sent again safely",
        "queryable": "can be asked whether it happened",
        "opaque": "never repeated by itself",
    }
)
#: The words of a schema's limits; each takes what it is limited to.
LIMITS: Final = Words(
    {
        "minLength": "at least {value} characters",
        "maxLength": "at most {value} characters",
        "minItems": "at least {value} of them",
        "maxItems": "at most {value} of them",
        "minimum": "at least {value}",
        "maximum": "at most {value}",
        "exclusiveMinimum": "more than {value}",
        "exclusiveMaximum": "less than {value}",
        "default": "{value} when left out",
        "pattern": "of the form {value}",
        "format": "written as {value}",
    }
)
_CHOSEN: Final[Mapping[str, Words[str]]] = {
    "category": CATEGORIES,
    "trust": TRUSTS,
    "input_trust": TRUSTS,
    "risk": RISKS,
    "effect_class": REPEATS,
}


def in_words(value: Any, name: str = "") -> str:
    """A value for people: a text as it is, a number by thousands, a list by commas, an object entry by entry.
    `name` is the part of the definition that it is of."""
    match value:
        case str():
            return (_CHOSEN[name].get(value) if name in _CHOSEN else None) or value
        case bool():
            return gettext("yes") if value else gettext("no")
        case int():
            return number(value)
        case None:
            return gettext("nothing")
        case [] if name == "models":
            return gettext("the one that the installation is set to")
        case [] | {}:
            return gettext("none")
        case list() if name == "effects":
            return capfirst(_effects(value))
        case list() if name == "asserts":
            return "\n".join(_asserted(each) for each in value)
        case list() if all(isinstance(each, str) for each in value):
            return ", ".join(value)
        case dict() if all(isinstance(each, str | int) for each in value.values()):
            return "\n".join(f"{plain(key)}: {in_words(each, key)}" for key, each in value.items())
    return as_json(value)


def as_json(value: Any) -> str:
    """Exactly that value, for whoever reads JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def field_in_words(field: Mapping[str, Any], name: str) -> str:
    """A field of a JSON Schema in a line, with `required` among its keywords; `name` is the field's own."""
    said = [_types(field)]
    if "required" in field:
        said.append(gettext("required") if field["required"] else gettext("optional"))
    said += [_limited(keyword, field[keyword]) for keyword in LIMITS if keyword in field]
    called = field.get("title")
    if called and called != plain(name):
        said.append(gettext("called “{title}”").format(title=called))
    told = {*LIMITS, *_typed(field), "required", "title", "description"}
    rest = {key: value for key, value in field.items() if key not in told}
    if rest:
        said.append(as_json(rest))
    line = ", ".join(said)
    return f"{line}: {field['description']}" if field.get("description") else line


def tool_in_words(tool: Mapping[str, Any]) -> str:
    """A tool in two lines: what it is for, and how dangerous it is and what it takes."""
    effects = _effects(tool["effects"]) or gettext("no effects")
    fields = (tool.get("schema") or {}).get("properties") or {}
    arguments = ", ".join(
        str(field.get("title") or plain(name)) for name, field in fields.items()
    ) or gettext("no arguments")
    return gettext("{tool}\n{risk}; {effects}; {repeats}; takes {arguments}").format(
        tool=tool["description"],
        risk=in_words(tool["risk"], "risk"),
        effects=effects,
        repeats=in_words(tool["effect_class"], "effect_class"),
        arguments=arguments,
    )


def _effects(effects: list[Any]) -> str:
    """Effects as they stand within a line: `moves money, destroys something`."""
    said = (EFFECTS.get(each) or in_words(each) for each in effects)
    return ", ".join(words[:1].lower() + words[1:] for words in said)


def _limited(keyword: str, value: Any) -> str:
    if (keyword, value) == ("minLength", 1):
        return gettext("not empty")
    return LIMITS[keyword].format(value=in_words(value))


def _typed(field: Mapping[str, Any]) -> set[str]:
    """The keywords that `_types` tells whole."""
    if "enum" in field:
        return {"enum", "type"}
    if set(field.get("items") or ()) <= {"type"}:
        return {"type", "items"} if "items" in field else {"type", *_plain_kinds(field)}
    return {"type"}


def _plain_kinds(field: Mapping[str, Any]) -> set[str]:
    kinds = field.get("anyOf") or ()
    return {"anyOf"} if kinds and all(set(each) == {"type"} for each in kinds) else set()


def _types(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return gettext("one of ") + ", ".join(in_words(value) for value in field["enum"])
    if _plain_kinds(field):
        return gettext(" or ").join(_type(each.get("type")) for each in field["anyOf"])
    inner = field.get("items")
    if field.get("type") == "array" and inner and set(inner) <= {"type"}:
        return gettext("list of {schema}").format(schema=_type(inner["type"]))
    return _type(field.get("type"))


def _type(kind: Any) -> str:
    return TYPES.get(str(kind)) or (gettext("anything") if kind is None else as_json(kind))


def _asserted(asserts: Mapping[str, Any]) -> str:
    """What an answer says was done, and when it says so."""
    same = "; ".join(
        gettext("its {field} is the result's {other}").format(field=field, other=other)
        for field, other in asserts.get("same", {}).items()
    )
    when = "; ".join(
        gettext("when its {field} is {values}").format(
            field=field, values=gettext(" or ").join(in_words(value) for value in values)
        )
        for field, values in asserts.get("when", {}).items()
    )
    told = {"tool", "same", "when"}
    rest = {key: value for key, value in asserts.items() if key not in told}
    parts = (asserts["tool"], when, same, as_json(rest) if rest else "")
    return "; ".join(part for part in parts if part)

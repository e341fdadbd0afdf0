"""JSON Schemas that a server can hold a model to, token by token; and reading what such a model writes. Pure.

The rules are those of OpenAI's strict function calling, which vLLM, Ollama and others take as well: every
object names all its properties as required and takes no others; an optional one may be null instead; a few
keywords are known. What is left out of a schema here is still checked when the call is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

KNOWN: Final = frozenset(
    {
        *(
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "anyOf",
            "enum",
            "const",
        ),
        *("$ref", "$defs", "description", "pattern", "format", "minItems", "maxItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
)
FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
#: Shapes that no strict server knows. Any other keyword only narrows what the call is checked for anyway.
REFUSED: Final = frozenset(
    {
        *(
            "allOf",
            "oneOf",
            "not",
            "if",
            "then",
            "else",
            "prefixItems",
            "contains",
            "propertyNames",
        ),
        *("patternProperties", "dependentSchemas", "dependentRequired", "unevaluatedProperties"),
    }
)
NULL: Final[Mapping[str, str]] = {"type": "null"}


class _NotStrict(Exception):
    """The schema says something that no strict server can hold a model to."""


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with every object in it that names its properties taking no others."""
    made = {key: _closed_within(key, value) for key, value in schema.items()}
    if "properties" in schema:
        made.setdefault("additionalProperties", False)
    return made


def _closed_within(key: str, value: Any) -> Any:
    if key in ("properties", "$defs"):
        return {name: closed(each) for name, each in value.items()}
    if key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        return [closed(each) for each in value]
    if key in ("items", "additionalProperties") and isinstance(value, Mapping):
        return closed(value)
    return value


def open_objects(schema: Mapping[str, Any]) -> list[str]:
    """Names of the objects in it, other than itself, that name properties and take others besides."""
    found = [
        str(each.get("title") or name)
        for name, each in _within(schema)
        if "properties" in each and each.get("additionalProperties") is not False
    ]
    return list(dict.fromkeys(found))


def _within(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in schema.items():
        named = key in ("properties", "$defs", "patternProperties")
        if isinstance(value, Mapping) and named:
            parts = list(value.items())
        elif isinstance(value, Mapping) and key in ("items", "additionalProperties"):
            parts = [(key, value)]
        elif isinstance(value, list) and key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            parts = [(key, each) for each in value]
        else:
            continue
        for name, part in parts:
            if isinstance(part, Mapping):
                yield name, part
                yield from _within(part)


def strict(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema as strict servers take it, or None for one that cannot be said that way.

    Such are objects with any names, tuples, and schemas that are combined by `allOf` or `oneOf`.
    """
    try:
        return _strict(schema, schema.get("$defs") or {})
    except _NotStrict:
        return None


def _strict(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    if refused := schema.keys() & REFUSED:
        raise _NotStrict(*refused)
    if "$ref" in schema and schema.keys() & (KNOWN - {"$ref", "description"}):
        raise _NotStrict("$ref")
    if "$ref" in schema:
        # A reference stands alone; what describes it stands where it leads to.
        return {"$ref": schema["$ref"]}
    made = {key: value for key, value in schema.items() if key in KNOWN}
    if "(?" in str(schema.get("pattern", "")):
        del made["pattern"]
    if schema.get("format") not in FORMATS:
        made.pop("format", None)
    if "$defs" in schema:
        made["$defs"] = {name: _strict(each, defs) for name, each in schema["$defs"].items()}
    if "anyOf" in schema:
        made["anyOf"] = [_strict(each, defs) for each in schema["anyOf"]]
    if "items" in schema:
        made["items"] = _strict(schema["items"], defs)
    if schema.get("type") == "object" or "properties" in schema:
        made |= _object(schema, defs)
    elif not made.keys() & {"type", "anyOf", "enum", "const"}:
        raise _NotStrict("anything")
    return made


def _object(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    if schema.get("additionalProperties") is not False:
        raise _NotStrict("additionalProperties")
    required = set(schema.get("required", ()))
    return {
        "properties": {
            name: _strict(each, defs)
            if name in required or takes_null(each, defs)
            else {"anyOf": [_strict(each, defs), dict(NULL)]}
            for name, each in properties.items()
        },
        "required": list(properties),
        "additionalProperties": False,
    }


def takes_null(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> bool:
    """Whether null itself is a value that the schema takes."""
    if "$ref" in schema:
        return takes_null(_led_to(schema["$ref"], defs), defs)
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return any(takes_null(each, defs) for each in several)
    if "const" in schema or "enum" in schema:
        return None in schema.get("enum", [schema.get("const")])
    kind = schema.get("type")
    return kind is None or kind == "null" or (isinstance(kind, list) and "null" in kind)


def _led_to(reference: str, defs: Mapping[str, Any]) -> Mapping[str, Any]:
    found = defs.get(reference.removeprefix("#/$defs/"))
    return found if isinstance(found, Mapping) else {}


def without_nulls(value: Any, schema: Mapping[str, Any]) -> Any:
    """What a model wrote, without nulls that stand for an optional property left out."""
    return _without_nulls(value, schema, schema.get("$defs") or {})


def _without_nulls(value: Any, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        schema = _led_to(schema["$ref"], defs)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [_without_nulls(each, schema["items"], defs) for each in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, Mapping):
        return value
    required = schema.get("required", ())
    return {
        name: _without_nulls(each, properties.get(name, {}), defs)
        for name, each in value.items()
        if each is not None
        or name in required
        or name not in properties
        or takes_null(properties[name], defs)
    }

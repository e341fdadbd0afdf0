"""What a JSON Schema says of each place in a tool's arguments, looked up once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson


class Place:
    """One place in the arguments, as the schema describes it. `is_decimal`: a text there is a number."""

    def __init__(self, schema: Mapping[str, Any], lookup: _Lookup) -> None:
        self.is_decimal = _is_decimal(schema, lookup.root)
        self._schema = schema
        self._lookup = lookup
        self._fields: dict[str, Place] = {}
        self._other: Place | None = None
        self._item: Place | None = None

    def field(self, name: str) -> Place:
        """A member of the object that stands here."""
        known = self._fields.get(name)
        if known is not None:
            return known
        properties = self._schema.get("properties", {})
        if name in properties:
            place = self._fields[name] = self._lookup.place(properties[name])
            return place
        if self._other is None:
            self._other = self._lookup.place(_object(self._schema, "additionalProperties"))
        return self._other

    def item(self) -> Place:
        """Any item of the list that stands here."""
        if self._item is None:
            self._item = self._lookup.place(_object(self._schema, "items"))
        return self._item


class _Lookup:
    """The places of one schema; one that speaks of itself has no more places than it has parts."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self._places: dict[int, Place] = {}
        self._nowhere = Place({}, self)

    def place(self, schema: Mapping[str, Any]) -> Place:
        schema = _resolved(schema, self.root)
        if not schema:
            return self._nowhere
        # All of it is part of the root, which stays, so that no identity is used again.
        known = self._places.get(id(schema))
        if known is None:
            known = self._places[id(schema)] = Place(schema, self)
        return known


def described(schema: Mapping[str, Any]) -> Place:
    """The arguments as a whole."""
    try:
        text = orjson.dumps(schema)
    except TypeError:
        # It holds what fits into no 64 bits, such as the bound of a large number.
        return _whole(schema)
    return _kept(text)


@lru_cache(maxsize=1_000)
def _kept(text: bytes) -> Place:
    return _whole(orjson.loads(text))


def _whole(schema: Mapping[str, Any]) -> Place:
    return _Lookup(schema).place(schema)


def _object(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = schema.get(key, {})
    return inner if isinstance(inner, Mapping) else {}


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    for _ in range(8):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        target: Any = root
        for part in reference[2:].split("/"):
            target = target.get(part, {}) if isinstance(target, Mapping) else {}
        schema = target if isinstance(target, Mapping) else {}
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        # An optional object or list: what describes its inside is the one choice that has one.
        for choice in choices:
            if isinstance(choice, Mapping):
                inner = choice if "$ref" not in choice else _resolved(choice, root)
                if "properties" in inner or "items" in inner:
                    return inner
    return schema


def _is_decimal(schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    if schema.get("format") == "decimal":
        return True
    choices = schema.get("anyOf")
    if not isinstance(choices, list):
        return False
    inner = [_resolved(choice, root) for choice in choices if isinstance(choice, Mapping)]
    types = {str(choice.get("type")) for choice in inner}
    return types >= {"number", "string"} or any(c.get("format") == "decimal" for c in inner)

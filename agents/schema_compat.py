"""Comparing two JSON Schemas of arguments: the same meaning, or one that takes all that the other does. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ANNOTATIONS: Final = frozenset({"title", "description", "examples"})
"""Keywords that say something to a reader and refuse no value."""
NAMED: Final = frozenset({"properties", "$defs"})
"""Keywords whose own keys are names that an author gave."""


def meaning(schema: Any) -> Any:
    """The schema without its annotations: what it takes and refuses."""
    if isinstance(schema, Mapping):
        return {
            key: {name: meaning(inner) for name, inner in value.items()}
            if key in NAMED and isinstance(value, Mapping)
            else meaning(value)
            for key, value in schema.items()
            if key not in ANNOTATIONS
        }
    if isinstance(schema, list):
        return [meaning(each) for each in schema]
    return schema


def takes_all_of(schema: Mapping[str, Any], older: Mapping[str, Any]) -> bool:
    """Whether every value that `older` takes is surely taken, with the same meaning, by `schema`.

    Each argument of `older` must have the same schema now, and none may be required now that was not
    before. That is narrower than it could be: what is not plain to see counts as no.
    """
    now, before = meaning(schema), meaning(older)
    rest = {"properties", "required", "$defs"}
    return (
        {key: value for key, value in now.items() if key not in rest}
        == {key: value for key, value in before.items() if key not in rest}
        and _holds(now.get("properties", {}), before.get("properties", {}))
        and _holds(now.get("$defs", {}), before.get("$defs", {}))
        and set(now.get("required", ())) <= set(before.get("required", ()))
    )


def _holds(now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    return all(name in now and now[name] == inner for name, inner in before.items())

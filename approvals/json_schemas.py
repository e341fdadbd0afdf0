"""JSON Schemas that somebody outside may have written, held against what a model or a person typed. Pure.

No address in them is gone to, and no pattern of theirs takes longer than the text is long: patterns are read by the
engine that pydantic brings along (Rust's `regex`, which never goes back), and not by Python's, which one line such
as `(a+)+$` keeps busy for years. What that engine does not read (look-around, back-references) fits nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import StringConstraints, TypeAdapter
from pydantic import ValidationError as NoMatch
from pydantic_core import SchemaError
from referencing import Registry

UNREADABLE: Final = (
    "has a pattern that is not read here (Rust's syntax: no look-around, no back-references)"
)
_STANDARD: Final = Draft202012Validator.VALIDATORS
_PATTERNS: Final = "patternProperties"
_UNEVALUATED: Final = "unevaluatedProperties"


@lru_cache(maxsize=1_000)
def finder(pattern: str) -> TypeAdapter[str]:
    """What looks for the pattern anywhere in a text. Raises pydantic's SchemaError where it cannot be read."""
    return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])


def is_in(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text. Raises pydantic's SchemaError where it cannot be read."""
    try:
        finder(pattern).validate_python(text)
    except NoMatch:
        return False
    return True


def validator_of(schema: Mapping[str, Any]) -> Any:
    """What holds values against the schema; references lead within it alone."""
    return _Bounded(schema, registry=Registry())


def problem_of_patterns(schema: Any) -> str:
    """Why the patterns of a schema cannot be held to; empty where they can."""
    # Looking for what was evaluated, the library descends into every part and tries patterns its own way.
    if _holds(schema, _PATTERNS) and _holds(schema, _UNEVALUATED):
        return f"has {_UNEVALUATED} beside {_PATTERNS}"
    return _problem_of_patterns(schema)


def _holds(schema: Any, keyword: str) -> bool:
    """Whether the keyword stands anywhere in the schema."""
    if isinstance(schema, Mapping):
        return keyword in schema or any(_holds(each, keyword) for each in schema.values())
    return isinstance(schema, list) and any(_holds(each, keyword) for each in schema)


def _problem_of_patterns(schema: Any) -> str:
    if isinstance(schema, Mapping):
        named = schema.get(_PATTERNS)
        patterns = [schema.get("pattern"), *(named if isinstance(named, Mapping) else ())]
        if not all(_is_readable(each) for each in patterns if isinstance(each, str)):
            return UNREADABLE
        return next(filter(None, map(_problem_of_patterns, schema.values())), "")
    if isinstance(schema, list):
        return next(filter(None, map(_problem_of_patterns, schema)), "")
    return ""


def _is_readable(pattern: str) -> bool:
    try:
        finder(pattern)
    except SchemaError:
        return False
    return True


def _pattern(
    validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not _fits(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in patterns.items():
        for name, value in instance.items():
            if _fits(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, additional: Any, instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    patterns = schema.get(_PATTERNS)
    if not patterns or not validator.is_type(instance, "object"):
        yield from _STANDARD["additionalProperties"](validator, additional, instance, schema)
        return
    known = schema.get("properties", {})
    others = [
        name
        for name in instance
        if name not in known and not any(_fits(each, name) for each in patterns)
    ]
    for name in others:
        yield from validator.descend(instance[name], additional, path=name)


def _fits(pattern: str, text: str) -> bool:
    """What cannot be read fits nothing, so that nothing passes by it."""
    return _is_readable(pattern) and is_in(pattern, text)


_Bounded: Final = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "pattern": _pattern,
        _PATTERNS: _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)

"""Comparing a value with what is expected of it. Pure; no pattern takes longer than the text is long.

A scalar or a list is expected as it is. A mapping says how to compare, by one or more of: `equals`, `number`
(with `within`), `at_least`, `at_most`, `matches`, `contains`, `one_of`, `present`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import SchemaError

from approvals.json_schemas import finder, is_in
from audit.numbers import as_number

LONGEST_PATTERN = 500
LONGEST_SHOWN = 200


class Strict(BaseModel):
    """Base of all shapes here: unknown fields are refused, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Matcher(Strict):
    """How a value is compared. Everything that is given has to hold."""

    equals: JsonValue = None
    number: int | float | None = None
    within: Annotated[int | float, Field(ge=0)] = 0
    at_least: int | float | None = None
    at_most: int | float | None = None
    matches: Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)] | None = None
    contains: Annotated[str, Field(min_length=1)] | None = None
    one_of: Annotated[list[JsonValue], Field(min_length=1)] | None = None
    present: bool | None = None

    @field_validator("matches")
    @classmethod
    def _can_be_read(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                finder(pattern)
            except SchemaError as error:
                raise ValueError(
                    "is no regular expression that is read here (Rust's syntax: no look-around, no "
                    f"back-references): {str(error).splitlines()[-1].strip()}"
                ) from error
        return pattern

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        given = self.model_fields_set
        if not given - {"within"}:
            raise ValueError("says nothing to compare with; equals takes any value as it is")
        if "within" in given and self.number is None:
            raise ValueError("within goes with number")
        if self.present is False and given != {"present"}:
            raise ValueError("present: false goes alone")
        return self

    @property
    def words(self) -> str:
        """What is expected, in the words of the file."""
        said = {name: getattr(self, name) for name in sorted(self.model_fields_set)}
        return ", ".join(f"{name} {_shown(value)}" for name, value in said.items())

    def holds(self, found: Any, *, there: bool) -> bool:
        """Whether the value is as expected; `there`: whether there is a value at all."""
        given = self.model_fields_set
        if not there:
            return self.present is False
        if self.present is False:
            return False
        tests: dict[str, Callable[[], bool]] = {
            "equals": lambda: same(self.equals, found),
            "number": lambda: self._is_near(found),
            "at_least": lambda: self._bounded(found, least=True),
            "at_most": lambda: self._bounded(found, least=False),
            "matches": lambda: isinstance(found, str) and is_in(self.matches or "", found),
            "contains": lambda: _holds_part(self.contains or "", found),
            "one_of": lambda: any(same(each, found) for each in self.one_of or ()),
        }
        return all(test() for name, test in tests.items() if name in given)

    def _is_near(self, found: Any) -> bool:
        read = as_number(found)
        if read is None or self.number is None:
            return False
        return abs(read - Decimal(str(self.number))) <= Decimal(str(self.within))

    def _bounded(self, found: Any, *, least: bool) -> bool:
        read, bound = as_number(found), self.at_least if least else self.at_most
        if read is None or bound is None:
            return False
        limit = Decimal(str(bound))
        return read >= limit if least else read <= limit


def _kind(given: Any) -> str:
    if isinstance(given, dict | Matcher):
        return "comparison"
    return "list" if isinstance(given, list) else "value"


Scalar = str | int | float | bool | None
Expected = Annotated[
    Annotated[Scalar, Tag("value")]
    | Annotated[Matcher, Tag("comparison")]
    | Annotated[list[JsonValue], Tag("list")],
    # One kind is tried, so that one thing is said to be wrong.
    Discriminator(_kind),
]
"""A scalar or a list as it is, or how to compare."""


def fits(expected: Expected, found: Any, there: bool) -> bool:
    """Whether the value is as expected; `there`: whether there is one at all, as `at` says."""
    if isinstance(expected, Matcher):
        return expected.holds(found, there=there)
    return there and same(expected, found)


def said(expected: Expected) -> str:
    """What is expected, for people to read."""
    return expected.words if isinstance(expected, Matcher) else _shown(expected)


def shown(found: Any, *, there: bool = True) -> str:
    """A value that was found, for people to read; bounded."""
    return _shown(found) if there else "nothing"


def same(expected: Any, found: Any) -> bool:
    """Whether two JSON values are the same. A number is one too where it is found as text, as amounts are."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float):
        number = as_number(found)
        return number is not None and number == Decimal(str(expected))
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return expected.keys() == found.keys() and all(
            same(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    return bool(expected == found)


def at(path: str, value: Any) -> tuple[Any, bool]:
    """What stands at a dotted path (`lines.0.price`), and whether anything does."""
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif (
            isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value)
        ):
            value = value[int(part)]
        else:
            return None, False
    return value, True


def _holds_part(part: str, found: Any) -> bool:
    if isinstance(found, str):
        return part.casefold() in found.casefold()
    return isinstance(found, list) and any(same(part, each) for each in found)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"

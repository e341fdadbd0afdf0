"""Conditions over `args` in CEL (cel.dev), compiled once, bounded in size and cost. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import cel

LONGEST_CONDITION = 2_000
DEEPEST_ARGUMENTS = 16
MOST_VALUES = 5_000
MOST_TEXT = 100_000
MOST_LOOPS = 2
MOST_STEPS = 250_000
LARGEST_INTEGER = 2**53

_LOOP = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")


class ConditionError(ValueError):
    """A condition does not compile; the message says why."""


class Unevaluable(Exception):
    """A condition has no answer for these arguments; the message says why."""


@lru_cache(maxsize=2_000)
def compiled(source: str) -> cel.Program:
    """The program of a condition; `ConditionError` when there is none."""
    if len(source) > LONGEST_CONDITION:
        raise ConditionError(f"A condition has at most {LONGEST_CONDITION} characters.")
    if _loops(source) > MOST_LOOPS:
        raise ConditionError(f"A condition loops over lists at most {MOST_LOOPS} times.")
    try:
        return cel.compile(source)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the Rust side is no Exception
        raise ConditionError(str(error).strip() or "The condition cannot be read.") from error


def check(source: str) -> None:
    """Raise `ConditionError` unless the condition compiles and speaks of `args` only."""
    program = compiled(source)
    bound = set(re.findall(r"\(\s*([A-Za-z_]\w*)\s*,", source))
    unknown = [name for name in program.variables() if name != "args" and name not in bound]
    if unknown:
        raise ConditionError(
            f"Only args is known here, as in args.amount <= 50; not {', '.join(unknown)}."
        )


@dataclass(frozen=True)
class Bound:
    """Arguments as conditions see them, converted once for all conditions; `size` counts values."""

    context: cel.Context
    size: int


def holds(source: str, bound: Bound) -> bool:
    """Whether the condition holds for arguments prepared by `bind`; else `Unevaluable`."""
    loops = _loops(source)
    if loops and bound.size**loops > MOST_STEPS:
        raise Unevaluable("the arguments are too many for it")
    try:
        answer = compiled(source).execute(bound.context)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the Rust side is no Exception
        raise Unevaluable(_problem(error)) from error
    if answer is True or answer is False:
        return answer
    raise Unevaluable("it is not a yes or no")


def _problem(error: BaseException) -> str:
    # The library's own messages may quote arguments, which not everybody may see.
    if isinstance(error, KeyError):
        return "it speaks of an argument that is not given"
    if isinstance(error, TypeError):
        return "it compares values of different types"
    return "it cannot be worked out"


def bind(
    arguments: Mapping[str, Any],
    schema: Mapping[str, Any] | None,
    numbers: Mapping[str, Decimal],
) -> Bound:
    """The arguments as conditions see them: decimals as numbers, sizes bounded.

    A text is a decimal where `numbers` names its dotted path, or where the JSON Schema says
    `format: decimal` or takes both a number and a text (as pydantic writes `Decimal`).
    """
    budget = [MOST_VALUES, MOST_TEXT]
    root = schema or {}
    args = _bind_object(arguments, _resolved(root, root), root, numbers, "", 0, budget)
    return Bound(cel.Context(variables={"args": args}), MOST_VALUES - budget[0])


def _bind(
    value: Any,
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    numbers: Mapping[str, Decimal],
    path: str,
    depth: int,
    budget: list[int],
) -> Any:
    if depth > DEEPEST_ARGUMENTS:
        raise Unevaluable(f"the arguments are nested deeper than {DEEPEST_ARGUMENTS} levels")
    budget[0] -= 1
    if budget[0] < 0:
        raise Unevaluable(f"the arguments hold more than {MOST_VALUES} values")
    schema = _resolved(schema, root)
    if isinstance(value, Mapping):
        return _bind_object(value, schema, root, numbers, path, depth, budget)
    if isinstance(value, list | tuple):
        items = schema.get("items", {})
        items = items if isinstance(items, Mapping) else {}
        return [
            _bind(item, items, root, numbers, f"{path}.{index}", depth + 1, budget)
            for index, item in enumerate(value)
        ]
    if isinstance(value, str):
        budget[1] -= len(value)
        if budget[1] < 0:
            raise Unevaluable(f"the arguments hold more than {MOST_TEXT} characters")
        if path in numbers:
            return _exact(numbers[path])
        if _is_decimal(schema, root):
            try:
                return _exact(Decimal(value))
            except InvalidOperation:
                return value
        return value
    if isinstance(value, Decimal):
        return _exact(value)
    # CEL turns larger integers into floats, which then compare wrongly.
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LARGEST_INTEGER:
        raise Unevaluable("an integer is not smaller than 2^53")
    return value


def _bind_object(
    value: Mapping[str, Any],
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    numbers: Mapping[str, Decimal],
    path: str,
    depth: int,
    budget: list[int],
) -> dict[str, Any]:
    properties = schema.get("properties", {})
    other = schema.get("additionalProperties", {})
    other = other if isinstance(other, Mapping) else {}
    return {
        str(key): _bind(
            item,
            properties.get(key, other),
            root,
            numbers,
            f"{path}.{key}" if path else str(key),
            depth + 1,
            budget,
        )
        for key, item in value.items()
    }


def _exact(number: Decimal) -> float:
    """The number for CEL, which computes in doubles; refused where that would change it."""
    if not number.is_finite():
        raise Unevaluable("a number is not finite")
    nearest = float(number)
    if Decimal(repr(nearest)) != number:
        raise Unevaluable("a number has more digits than can be compared")
    return nearest


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


@lru_cache(maxsize=2_000)
def _loops(source: str) -> int:
    return len(_LOOP.findall(source))

"""Conditions over `args` in CEL (cel.dev), compiled once, bounded in size and cost. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from approvals.argument_places import Place, described
from approvals.cel_alone import cel

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


class Answers:
    """The arguments of one action before any number of conditions: bound at the first, and each condition
    answered once.

    A text is a decimal where `numbers` names its dotted path, or where the JSON Schema says
    `format: decimal` or takes both a number and a text (as pydantic writes `Decimal`).
    """

    def __init__(
        self,
        arguments: Mapping[str, Any],
        schema: Mapping[str, Any] | None,
        numbers: Mapping[str, Decimal],
    ) -> None:
        self._given = arguments, schema, numbers
        self._bound: _Bound | Unevaluable | None = None
        self._answers: dict[str, bool | Unevaluable] = {}

    def holds(self, source: str) -> bool:
        """Whether the condition holds; else `Unevaluable`, or `ConditionError` where it does not compile."""
        answer = self._answers.get(source)
        if answer is None:
            try:
                answer = _answer(source, self._arguments())
            except Unevaluable as problem:
                answer = problem
            self._answers[source] = answer
        if isinstance(answer, Unevaluable):
            raise Unevaluable(str(answer))
        return answer

    def _arguments(self) -> _Bound:
        if self._bound is None:
            try:
                self._bound = _bind(*self._given)
            except Unevaluable as problem:
                self._bound = problem
        if isinstance(self._bound, Unevaluable):
            raise self._bound
        return self._bound


@dataclass(frozen=True)
class _Bound:
    """Arguments as conditions see them; `size` counts values."""

    context: cel.Context
    size: int


def _answer(source: str, bound: _Bound) -> bool:
    loops = _loops(source)
    if loops and bound.size**loops > MOST_STEPS:
        raise Unevaluable("the arguments are too many for it")
    try:
        answer = compiled(source).execute(bound.context)
    except (KeyboardInterrupt, SystemExit):
        raise
    except ConditionError:
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


def _bind(
    arguments: Mapping[str, Any], schema: Mapping[str, Any] | None, numbers: Mapping[str, Decimal]
) -> _Bound:
    """Decimals as numbers, sizes bounded."""
    binding = _Binding(numbers)
    args = binding.object(arguments, described(schema or {}), "", 0)
    return _Bound(cel.Context(variables={"args": args}), MOST_VALUES - binding.values_left)


class _Binding:
    """One walk through the arguments, with what is left of the bounds."""

    def __init__(self, numbers: Mapping[str, Decimal]) -> None:
        self._numbers = numbers
        self.values_left = MOST_VALUES
        self._text_left = MOST_TEXT

    def value(self, value: Any, place: Place, path: str, depth: int) -> Any:
        if depth > DEEPEST_ARGUMENTS:
            raise Unevaluable(f"the arguments are nested deeper than {DEEPEST_ARGUMENTS} levels")
        self.values_left -= 1
        if self.values_left < 0:
            raise Unevaluable(f"the arguments hold more than {MOST_VALUES} values")
        if isinstance(value, str):
            return self._text(value, place, path)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            if abs(value) >= LARGEST_INTEGER:
                # CEL turns larger integers into floats, which then compare wrongly.
                raise Unevaluable("an integer is not smaller than 2^53")
            return value
        if isinstance(value, list | tuple):
            item = place.item()
            return [
                self.value(each, item, f"{path}.{index}", depth + 1)
                for index, each in enumerate(value)
            ]
        if isinstance(value, Mapping):
            return self.object(value, place, path, depth)
        return _exact(value) if isinstance(value, Decimal) else value

    def object(
        self, value: Mapping[str, Any], place: Place, path: str, depth: int
    ) -> dict[str, Any]:
        return {
            str(key): self.value(
                each, place.field(key), f"{path}.{key}" if path else str(key), depth + 1
            )
            for key, each in value.items()
        }

    def _text(self, value: str, place: Place, path: str) -> str | float:
        self._text_left -= len(value)
        if self._text_left < 0:
            raise Unevaluable(f"the arguments hold more than {MOST_TEXT} characters")
        if path in self._numbers:
            return _exact(self._numbers[path])
        if place.is_decimal:
            try:
                return _exact(Decimal(value))
            except InvalidOperation:
                return value
        return value


def _exact(number: Decimal) -> float:
    """The number for CEL, which computes in doubles; refused where that would change it."""
    if not number.is_finite():
        raise Unevaluable("a number is not finite")
    nearest = float(number)
    if Decimal(repr(nearest)) != number:
        raise Unevaluable("a number has more digits than can be compared")
    return nearest


@lru_cache(maxsize=2_000)
def _loops(source: str) -> int:
    return len(_LOOP.findall(source))

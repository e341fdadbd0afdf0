"""Holding what a run did against what was expected of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from approvals.json_schemas import validator_of
from evaluations.matching import LONGEST_SHOWN, at, fits, said, shown
from evaluations.observed import CallMade, Observed
from evaluations.schemas import CallExpected, Expectations

MOST_PROBLEMS: Final = 50
COUNTED: Final = (
    "reviews",
    "steps",
    "model_calls",
    "tool_calls",
    "tokens",
    "cost_micros",
)


@dataclass(frozen=True)
class Problem:
    """Something that is not as expected: a code of `wording.PROBLEMS`, and what its sentence speaks of."""

    code: str
    params: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As tables keep it."""
        return asdict(self)


def problems_of(expect: Expectations, seen: Observed) -> list[Problem]:
    """Everything about the run that is not as expected, bounded."""
    found = [
        *_outcome(expect, seen),
        *_answer(expect, seen),
        *_calls(expect, seen),
        *_amounts(expect, seen),
    ]
    return found[:MOST_PROBLEMS]


def _outcome(expect: Expectations, seen: Observed) -> Iterator[Problem]:
    if expect.outcome is not None and seen.outcome != expect.outcome:
        why = str(seen.failure.get("message") or "")
        params = {"expected": expect.outcome, "found": seen.outcome, "why": why[:LONGEST_SHOWN]}
        yield Problem("outcome_because" if why else "outcome", params)


def _answer(expect: Expectations, seen: Observed) -> Iterator[Problem]:
    for path, expected in expect.answer.items():
        value, there = at(path, seen.answer)
        if not fits(expected, value, there):
            found = shown(value, there=there)
            yield Problem("answer", {"field": path, "expected": said(expected), "found": found})
    if expect.answer_schema is None:
        return
    validator = validator_of(expect.answer_schema)
    for error in sorted(
        validator.iter_errors(seen.answer), key=lambda each: list(map(str, each.path))
    ):
        where = ".".join(map(str, error.path))
        yield Problem("answer_schema", {"field": where, "what": error.message[:LONGEST_SHOWN]})


def _calls(expect: Expectations, seen: Observed) -> Iterator[Problem]:
    asked = expect.calls
    if asked.in_order is not None:
        yield from _in_order(asked.in_order, seen.calls)
    if asked.exactly is not None:
        yield from _exactly(asked.exactly, seen.calls)
    if asked.include is not None:
        yield from _include(asked.include, seen.calls)
    for unwanted in asked.never or ():
        made = next((call for call in seen.calls if is_like(unwanted, call)), None)
        if made is not None:
            yield Problem("call_unwanted", {"call": words(unwanted), "found": _made(made)})


def _in_order(expected: Sequence[CallExpected], made: Sequence[CallMade]) -> Iterator[Problem]:
    place = 0
    for each in expected:
        found = next((n for n in range(place, len(made)) if is_like(each, made[n])), None)
        if found is None:
            rest = [call for call in made[place:] if call.tool == each.tool]
            earlier = any(is_like(each, call) for call in made[:place])
            yield _missing(each, rest, out_of_order=earlier)
            return
        place = found + 1


def _exactly(expected: Sequence[CallExpected], made: Sequence[CallMade]) -> Iterator[Problem]:
    for number, (each, call) in enumerate(zip(expected, made, strict=False), start=1):
        if not is_like(each, call):
            params = {"number": str(number), "call": words(each), "found": _made(call)}
            yield Problem("call_other", params)
            return
    for each in expected[len(made) :]:
        yield _missing(each, [])
    for call in made[len(expected) :]:
        yield Problem("call_surplus", {"found": _made(call)})


def _include(expected: Sequence[CallExpected], made: Sequence[CallMade]) -> Iterator[Problem]:
    rest = list(made)
    for each in expected:
        found = next((call for call in rest if is_like(each, call)), None)
        if found is None:
            yield _missing(each, [call for call in rest if call.tool == each.tool])
        else:
            rest.remove(found)


def _missing(
    expected: CallExpected, alike: Sequence[CallMade], *, out_of_order: bool = False
) -> Problem:
    if out_of_order:
        return Problem("call_out_of_order", {"call": words(expected)})
    if not alike:
        return Problem("call_missing", {"call": words(expected)})
    return Problem("call_not_like", {"call": words(expected), "found": _made(alike[0])})


def is_like(expected: CallExpected, made: CallMade) -> bool:
    """Whether a call is one that is expected."""
    if expected.tool != made.tool:
        return False
    if expected.gate is not None and expected.gate != made.gate:
        return False
    if expected.ended is not None and expected.ended != made.ended:
        return False
    if expected.reasons is not None and not set(expected.reasons) <= set(made.reasons):
        return False
    return all(fits(value, *at(path, made.arguments)) for path, value in expected.arguments.items())


def words(expected: CallExpected) -> str:
    """An expected call for people to read."""
    named = ", ".join(f"{path}: {said(value)}" for path, value in expected.arguments.items())
    marks = [f"gate {expected.gate}" if expected.gate else ""]
    marks += [f"reasons {', '.join(expected.reasons)}" if expected.reasons else ""]
    marks += [expected.ended or ""]
    told = ", ".join(mark for mark in marks if mark)
    return f"{expected.tool}({named})" + (f" [{told}]" if told else "")


def _made(call: CallMade) -> str:
    named = ", ".join(f"{name}: {shown(value)}" for name, value in call.arguments.items())
    told = ", ".join(mark for mark in (call.gate and f"gate {call.gate}", call.ended) if mark)
    return f"{call.tool}({named})"[: 2 * LONGEST_SHOWN] + f" [{told}]"


def _amounts(expect: Expectations, seen: Observed) -> Iterator[Problem]:
    for name in COUNTED:
        bound = getattr(expect, name)
        amount = getattr(seen, name)
        if bound is not None and not bound.holds(amount):
            yield Problem(name, {"expected": bound.words, "found": str(amount)})
    if expect.cost_micros is not None and seen.unpriced_calls:
        yield Problem("cost_unknown", {"calls": str(seen.unpriced_calls)})
    errors, claims = len(seen.errors), len(seen.claims)
    if expect.correctable_errors is not None and not expect.correctable_errors.holds(errors):
        params = {"expected": expect.correctable_errors.words, "found": str(errors)}
        yield Problem("correctable_errors", {**params, "which": ", ".join(seen.errors) or "none"})
    if not expect.false_claims.holds(claims):
        which = " ".join(seen.claims)[: 2 * LONGEST_SHOWN]
        params = {"expected": expect.false_claims.words, "found": str(claims), "which": which}
        yield Problem("false_claims", params)

"""Two evaluations of one suite side by side: which cases got worse, which better. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluations.models import CaseResult, Evaluation
from evaluations.vocabulary import CaseState, Change


@dataclass(frozen=True)
class Rate:
    """How often a case passed of the times it was played, and what that took on average."""

    passed: int
    played: int
    cost_micros: int
    steps: int

    @property
    def share(self) -> float:
        return self.passed / self.played if self.played else 0.0


@dataclass(frozen=True)
class Compared:
    """One case in both. `rewritten`: it does not say the same in both, so that they can hardly be compared."""

    name: str
    change: Change
    now: Rate | None
    before: Rate | None
    rewritten: bool


def compare(
    now: Evaluation,
    results: Iterable[CaseResult],
    before: Evaluation,
    earlier: Iterable[CaseResult],
) -> list[Compared]:
    """Every case of either, those that got worse first."""
    ours, theirs = rates_of(results), rates_of(earlier)
    said, said_before = _documents(now), _documents(before)
    found = [
        Compared(
            name,
            _change(ours.get(name), theirs.get(name)),
            ours.get(name),
            theirs.get(name),
            name in said and name in said_before and said[name] != said_before[name],
        )
        for name in dict.fromkeys([*ours, *theirs])
    ]
    order = list(Change)
    return sorted(found, key=lambda each: order.index(each.change))


def rates_of(results: Iterable[CaseResult]) -> dict[str, Rate]:
    """By the name of the case, how often it passed."""
    by_name: dict[str, list[CaseResult]] = {}
    for result in results:
        by_name.setdefault(result.name, []).append(result)
    return {
        name: Rate(
            passed=sum(each.state == CaseState.PASSED for each in found),
            played=len(found),
            cost_micros=sum(each.cost_micros for each in found) // len(found),
            steps=sum(each.steps for each in found) // len(found),
        )
        for name, found in by_name.items()
    }


def _change(now: Rate | None, before: Rate | None) -> Change:
    if before is None:
        return Change.ADDED
    if now is None:
        return Change.GONE
    if now.share == before.share:
        return Change.SAME
    return Change.BETTER if now.share > before.share else Change.WORSE


def _documents(evaluation: Evaluation) -> Mapping[str, Any]:
    return {case["name"]: case for case in evaluation.suite_document["cases"]}

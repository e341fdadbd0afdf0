"""The baseline table: what happens where no rule speaks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from approvals.policies import Policy
from approvals.schemas import Requirements
from approvals.vocabulary import Effect, Risk


@dataclass(frozen=True)
class Baseline:
    """What the table says of one kind of action; `spoke` is False where no line is about it.

    `requirements` are those of a review, also where doubts about an action that may run ask for one.
    """

    reviews: bool
    requirements: Requirements
    spoke: bool


def baseline_of(
    policy: Policy, *, risk: Risk, effects: frozenset[Effect], reversible: bool
) -> Baseline:
    """Every matching line counts: review is stronger than allow, and requirements add up."""
    rows = [
        row
        for row in policy.baseline
        if row.speaks_of(risk=risk, effects=effects, reversible=reversible)
    ]
    if not rows:
        return Baseline(reviews=True, requirements=Requirements(), spoke=False)
    reviewing = [row for row in rows if row.outcome == "review"]
    return Baseline(
        reviews=bool(reviewing),
        requirements=total([row.requirements for row in reviewing or rows]),
        spoke=True,
    )


def total(asked: Sequence[Requirements]) -> Requirements:
    """All of them at once."""
    return reduce(Requirements.plus, asked)

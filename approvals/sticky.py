"""Sticky approvals: this tool, with these constraints on its arguments, for this agent, until then. Pure.

One is a rule that a person made out of a request that was approved. It allows like an allow rule of the
policy: what is denied stays denied, and what a review rule speaks of is still reviewed. It never holds for
a run that has read text from outside, nor for one of whoever granted it: nobody approves their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from approvals.policies import STICKY_PREFIX, Rule, When
from approvals.schemas import GateContext, ProposedAction, Shape
from audit.numbers import as_number

How = Literal["same", "at_most", "any"]


class Constraint(Shape):
    """What one argument may be: the `value` it had, at most that number, or anything."""

    how: How
    value: Any = None

    def holds(self, given: Any) -> bool:
        """Whether a value given now fits; numbers are compared as decimals, never as floats."""
        if self.how == "any":
            return True
        if self.how == "same":
            return type(given) is type(self.value) and given == self.value
        limit, number = as_number(self.value), as_number(given)
        return limit is not None and number is not None and 0 <= number <= limit


class Sticky(Shape):
    """One of them as the gate sees it: in force from `since` until `until`."""

    id: UUID
    agent: str
    tool: str
    constraints: dict[str, Constraint] = Field(default_factory=dict)
    since: datetime
    until: datetime
    granted_by: str = ""
    granter: int | None = None

    @property
    def rule_name(self) -> str:
        """What verdicts and events call it."""
        return f"{STICKY_PREFIX}{self.id}"

    @property
    def rule(self) -> Rule:
        """The rule that it is. Whoever granted it judged the call, not the score, so that none is asked."""
        return Rule(
            name=self.rule_name,
            title=f"Sticky approval of {self.granted_by} until {self.until:%Y-%m-%d %H:%M} UTC",
            when=When(agents=(self.agent,), tools=(self.tool,)),
            effect="allow",
            threshold=Decimal(0),
        )

    def speaks_of(self, action: ProposedAction, context: GateContext) -> bool:
        """Whether it holds for this action then. An argument that it does not know fits none.

        Like every rule that does not accept taint, it allows nothing in a run that has read text from outside.
        """
        return (
            action.agent == self.agent
            and action.tool == self.tool
            and self.since <= context.at < self.until
            and (context.initiator is None or context.initiator != self.granter)
            and action.arguments.keys() == self.constraints.keys()
            and all(
                constraint.holds(action.arguments[name])
                for name, constraint in self.constraints.items()
            )
        )


def constraints_from(
    arguments: Mapping[str, Any], chosen: Mapping[str, How]
) -> dict[str, Constraint]:
    """A constraint for each argument of the approved call; what was not chosen stays the same.

    Raises `ValueError` naming an argument that is no number for `at_most`, or that the call lacks.
    """
    unknown = sorted(chosen.keys() - arguments.keys())
    if unknown:
        raise ValueError(f"the call has no argument {', '.join(unknown)}")
    constraints = {}
    for name, value in arguments.items():
        how = chosen.get(name, "same")
        if how == "at_most" and as_number(value) is None:
            raise ValueError(f"{name} is not a number, so it has no upper limit")
        constraints[name] = Constraint(how=how, value=None if how == "any" else value)
    return constraints

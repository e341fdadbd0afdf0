"""Which rules speak of an action, and which do not, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from approvals import conditions
from approvals.policies import Policy, PublishedPolicy, Rule, When
from approvals.schemas import GateContext, ProposedAction, Reason

#: What of a rule does not hold: its scope, or a field of `When`.
Miss = Literal[
    "scope",
    "delegation",
    "agents",
    "tools",
    "effects",
    "reversible",
    "risk_at_least",
    "tainted",
    "first_use",
    "rate_above",
    "time_window",
    "condition",
]


@dataclass(frozen=True)
class Finding:
    """A rule that speaks of the action; `problem` says why its condition has no answer."""

    rule: Rule
    problem: str = ""

    def reason(self, code: str, **params: Any) -> Reason:
        """Why it speaks, as data."""
        params = {"rule": self.rule.name, "title": self.rule.title, **params}
        if self.problem:
            return Reason(code="condition_failed", params={**params, "problem": self.problem})
        return Reason(code=code, params=params)


@dataclass(frozen=True)
class Silent:
    """A rule that does not speak of the action, and what of it does not hold first."""

    rule: Rule
    miss: Miss


def speaking(
    action: ProposedAction, context: GateContext, published: PublishedPolicy
) -> list[Finding]:
    """The rules that speak of the action, by name, and then the sticky approvals."""
    rules = [each for each in matched(action, context, published) if isinstance(each, Finding)]
    return [*rules, *_stickies(action, context, published)]


def matched(
    action: ProposedAction, context: GateContext, published: PublishedPolicy
) -> Iterator[Finding | Silent]:
    """Every rule by name: speaking, or silent with the reason."""
    bound: conditions.Bound | None = None
    for rule in published.rules_by_name:
        miss = _miss(rule, action, context, published.policy)
        if miss is not None:
            yield Silent(rule, miss)
            continue
        source = rule.when.condition
        if source is None:
            yield Finding(rule)
            continue
        try:
            if bound is None:
                bound = conditions.bind(action.arguments, action.argument_schema, action.numbers)
            holds = conditions.holds(source, bound)
            yield Finding(rule) if holds else Silent(rule, "condition")
        except (conditions.Unevaluable, conditions.ConditionError) as problem:
            yield Finding(rule, str(problem) or "no answer")


def _stickies(
    action: ProposedAction, context: GateContext, published: PublishedPolicy
) -> Iterator[Finding]:
    for sticky in published.stickies:
        if sticky.speaks_of(action, context):
            yield Finding(sticky.rule)


def _miss(rule: Rule, action: ProposedAction, context: GateContext, policy: Policy) -> Miss | None:
    """What of the rule does not hold, but for its condition; None when all does."""
    if rule.group is not None:
        # A group's rule speaks of the group's own agents, and loosens only where it is delegated.
        if rule.group != action.owner_group:
            return "scope"
        if rule.effect == "allow" and rule.group not in policy.delegates:
            return "delegation"
    return _about_action(rule.when, action) or _about_context(rule.when, context)


def _about_action(when: When, action: ProposedAction) -> Miss | None:
    if when.agents and action.agent not in when.agents:
        return "agents"
    if when.tools and action.tool not in when.tools:
        return "tools"
    if when.effects and action.effects.isdisjoint(when.effects):
        return "effects"
    if when.reversible not in (None, action.reversible):
        return "reversible"
    if when.risk_at_least is not None and action.risk < when.risk_at_least:
        return "risk_at_least"
    return None


def _about_context(when: When, context: GateContext) -> Miss | None:
    if when.tainted not in (None, context.tainted):
        return "tainted"
    if when.first_use not in (None, context.first_use):
        return "first_use"
    if when.rate_above is not None and context.calls_last_hour <= when.rate_above:
        return "rate_above"
    if when.time_window is not None and not when.time_window.contains(context.at):
        return "time_window"
    return None

"""Which rules speak of an action, and which do not, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from approvals import conditions
from approvals.policies import Policy, PublishedPolicy, Rule, RulesByEffect, When
from approvals.schemas import GateContext, ProposedAction, Reason
from approvals.tightening import ToolFacts

#: More kinds of action than an installation has tools; what is beyond is looked up each time.
MOST_KINDS = 5_000

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


def answers_of(action: ProposedAction) -> conditions.Answers:
    """The action's arguments, for conditions."""
    return conditions.Answers(action.arguments, action.argument_schema, action.numbers)


def speaking(
    action: ProposedAction,
    context: GateContext,
    published: PublishedPolicy,
    answers: conditions.Answers,
) -> list[Finding]:
    """The rules that speak of the action, by name, and then the sticky approvals; of an action that is
    denied, those that deny it."""
    denies, others = _about(action, published)
    found = list(_speaking(denies, context, answers))
    return found or [
        *_speaking(others, context, answers),
        *_stickies(action, context, published),
    ]


def _stickies(
    action: ProposedAction, context: GateContext, published: PublishedPolicy
) -> Iterator[Finding]:
    for sticky in published.stickies:
        if sticky.speaks_of(action, context):
            yield Finding(sticky.rule)


def _speaking(
    rules: Iterable[Rule], context: GateContext, answers: conditions.Answers
) -> Iterator[Finding]:
    for rule in rules:
        if _about_context(rule.when, context) is None:
            speaks, problem = _answer(rule, answers)
            if speaks:
                yield Finding(rule, problem)


def _about(action: ProposedAction, published: PublishedPolicy) -> RulesByEffect:
    """The rules that are about such actions, by name, looked up once for each kind of action."""
    kind = (
        action.agent,
        action.tool,
        action.owner_group,
        action.risk,
        action.effects,
        action.reversible,
    )
    known = published.rules_by_kind.get(kind)
    if known is None:
        rules = [
            rule
            for rule in published.rules_by_name
            if _in_scope(rule, action, published.policy) is None
            and _about_action(rule.when, action) is None
        ]
        known = (
            tuple(rule for rule in rules if rule.effect == "deny"),
            tuple(rule for rule in rules if rule.effect != "deny"),
        )
        if len(published.rules_by_kind) < MOST_KINDS:
            published.rules_by_kind[kind] = known
    return known


def may_speak(rule: Rule, tool: ToolFacts, policy: Policy) -> bool:
    """Whether the rule is about calls of the tool, as far as that is known before there is one."""
    return _in_scope(rule, tool, policy) is None and _about_action(rule.when, tool) is None


def matched(
    action: ProposedAction, context: GateContext, published: PublishedPolicy
) -> Iterator[Finding | Silent]:
    """Every rule by name: speaking, or silent with the reason."""
    answers = answers_of(action)
    for rule in published.rules_by_name:
        miss = (
            _in_scope(rule, action, published.policy)
            or _about_action(rule.when, action)
            or _about_context(rule.when, context)
        )
        if miss is None:
            speaks, problem = _answer(rule, answers)
            yield Finding(rule, problem) if speaks else Silent(rule, "condition")
        else:
            yield Silent(rule, miss)


def _answer(rule: Rule, answers: conditions.Answers) -> tuple[bool, str]:
    """Whether a rule speaks of which all but the condition holds, and why that has no answer."""
    source = rule.when.condition
    if source is None:
        return True, ""
    try:
        return answers.holds(source), ""
    except (conditions.Unevaluable, conditions.ConditionError) as problem:
        return True, str(problem) or "no answer"


def _in_scope(rule: Rule, action: ProposedAction | ToolFacts, policy: Policy) -> Miss | None:
    if rule.group is not None:
        # A group's rule speaks of the group's own agents, and loosens only where it is delegated.
        if rule.group != action.owner_group:
            return "scope"
        if rule.effect == "allow" and rule.group not in policy.delegates:
            return "delegation"
    return None


def _about_action(when: When, action: ProposedAction | ToolFacts) -> Miss | None:
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

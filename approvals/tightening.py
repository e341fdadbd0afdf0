"""Whether a policy only tightens another: every way in which it might let more through, in words. Pure.

The answer is conservative: an empty list is a promise (no action that the old policy reviews is
allowed by the new one, none that it denies is reviewed, no review asks for less), while a sentence
may name something that in fact lets nothing new through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product

from django.utils.translation import gettext

from approvals.baseline import Baseline, baseline_of
from approvals.policies import Policy, Rule, When
from approvals.schemas import Requirements
from approvals.thresholds import Thresholds, basis_points
from approvals.vocabulary import Effect, Expiry, Friction, Risk


@dataclass(frozen=True)
class ToolFacts:
    """What the gate knows of one tool of one agent before it is called."""

    agent: str
    tool: str
    risk: Risk
    effects: frozenset[Effect]
    reversible: bool
    owner_group: str | None = None
    title: str = ""


#: Risk, effects and whether it can be undone: all that the baseline looks at.
Nature = tuple[Risk, frozenset[Effect], bool]

_EFFECT_SETS = [
    frozenset(chosen)
    for chosen in chain.from_iterable(combinations(Effect, size) for size in range(len(Effect) + 1))
]
EVERY_NATURE: tuple[Nature, ...] = tuple(product(Risk, _EFFECT_SETS, (True, False)))


def loosenings(before: Policy, after: Policy, catalogue: Sequence[ToolFacts] = ()) -> list[str]:
    """Every way in which `after` might let more through than `before`, a sentence each.

    `catalogue` are the installed tools: a rule that names its agents and tools is judged by what
    those are, any other by everything that it could speak of.
    """
    return list(dict.fromkeys(_loosenings(before, after, catalogue)))


def _loosenings(before: Policy, after: Policy, catalogue: Sequence[ToolFacts]) -> Iterator[str]:
    yield from _thresholds(before.thresholds, after.thresholds)
    yield from _baseline(before, after)
    old = {rule.name: rule for rule in before.rules}
    new = {rule.name: rule for rule in after.rules}
    for name, rule in old.items():
        if name not in new:
            yield from _removed(rule, before, after, catalogue)
    for name, rule in new.items():
        if name not in old:
            yield from _added(rule, after, catalogue)
        elif old[name] != rule:
            yield from _changed(old[name], rule, before, after, catalogue)
    yield from _delegates(before, after, catalogue)
    yield from _rest(before, after)


def _thresholds(before: Thresholds, after: Thresholds) -> Iterator[str]:
    for agent, tool, risk in _threshold_cases(before, after):
        then = before.resolve(agent=agent, tool=tool, risk=risk)
        now = after.resolve(agent=agent, tool=tool, risk=risk)
        if now.value_bp < then.value_bp:
            yield gettext("A threshold is lower.")
            return


def _threshold_cases(*tables: Thresholds) -> Iterator[tuple[str, str, Risk]]:
    """Every combination that the tables tell apart; the empty name stands for all others."""
    agents = {""}.union(*(t.agents.keys() | t.agent_tools.keys() for t in tables))
    pairs = {
        (agent, tool) for t in tables for agent, each in t.agent_tools.items() for tool in each
    }
    tools = {""}.union(*(t.tools.keys() for t in tables))
    named = {(agent, tool) for agent in agents for tool in tools} | pairs
    for (agent, tool), risk in product(sorted(named), Risk):
        yield agent, tool, risk


def _baseline(before: Policy, after: Policy) -> Iterator[str]:
    if before.baseline == after.baseline:
        return
    for nature in EVERY_NATURE:
        then, now = _at(before, nature), _at(after, nature)
        if then.reviews and not now.reviews:
            yield gettext("Where no rule speaks, something runs by itself that was reviewed.")
            return
        if not asks_for_as_much(now.requirements, then.requirements, before):
            yield gettext("Where no rule speaks, a review asks for less.")
            return


def _removed(
    rule: Rule, before: Policy, after: Policy, catalogue: Sequence[ToolFacts]
) -> Iterator[str]:
    if rule.effect != "allow":
        yield gettext("The rule {rule} is gone.").format(rule=_called(rule))
    elif _is_active(rule, before) and not _may_go(rule, after, catalogue):
        yield gettext("Without the rule {rule}, what it kept back may run by the baseline.").format(
            rule=_called(rule)
        )


def _may_go(rule: Rule, after: Policy, catalogue: Sequence[ToolFacts]) -> bool:
    """Whether nothing that this allow rule kept back could run once it is gone.

    It keeps back what is below its own threshold, and, also from other rules, what its condition has no
    answer for.
    """
    reviewed = all(_at(after, nature).reviews for nature in _natures(rule.when, catalogue))
    if rule.when.condition is not None:
        others = [each for each in after.rules if each.name != rule.name]
        allowed = [each for each in others if each.effect == "allow" and _is_active(each, after)]
        return reviewed and not any(_meet(rule.when, each.when) for each in allowed)
    if reviewed:
        return True
    return rule.threshold is None or basis_points(rule.threshold) <= _lowest(after.thresholds)


def _added(rule: Rule, after: Policy, catalogue: Sequence[ToolFacts]) -> Iterator[str]:
    if rule.effect == "allow" and _is_active(rule, after):
        yield gettext("The rule {rule} allows something.").format(rule=_called(rule))
    if rule.effect == "review" and rule.group is None:
        yield from _instead_of_baseline(rule, after, catalogue)


def _instead_of_baseline(
    rule: Rule, after: Policy, catalogue: Sequence[ToolFacts]
) -> Iterator[str]:
    """A global review rule takes the baseline's place, so it must ask for as much."""
    asked = rule.requirements or Requirements()
    for nature in _natures(rule.when, catalogue):
        if not asks_for_as_much(asked, _at(after, nature).requirements, after):
            yield gettext(
                "The rule {rule} asks for less than the baseline, in whose place it stands."
            ).format(rule=_called(rule))
            return


def _changed(
    then: Rule, now: Rule, before: Policy, after: Policy, catalogue: Sequence[ToolFacts]
) -> Iterator[str]:
    if then.effect != now.effect or then.scope != now.scope:
        stricter = {"allow": 0, "review": 1, "deny": 2}
        if (
            then.scope == now.scope
            and stricter[now.effect] > stricter[then.effect]
            and then.effect != "allow"
            and covers(now.when, then.when)
        ):
            return
        yield from _removed(then, before, after, catalogue)
        yield from _added(now, after, catalogue)
    elif now.effect == "allow":
        yield from _allows_more(then, now, before, after, catalogue)
    else:
        if not covers(now.when, then.when):
            yield gettext("The rule {now} speaks of less than it did.").format(now=_called(now))
        if now.effect == "review":
            asked = now.requirements or Requirements()
            if not asks_for_as_much(asked, then.requirements or Requirements(), before):
                yield gettext("The rule {now} asks for less than it did.").format(now=_called(now))
            if now.group is None and now.when != then.when:
                yield from _instead_of_baseline(now, after, catalogue)


def _allows_more(
    then: Rule, now: Rule, before: Policy, after: Policy, catalogue: Sequence[ToolFacts]
) -> Iterator[str]:
    if not _is_active(now, after):
        return
    if not covers(then.when, now.when):
        yield gettext("The rule {now} allows more than it did.").format(now=_called(now))
    elif then.when != now.when and not _may_go(then, after, catalogue):
        yield gettext(
            "What the rule {now} does not speak of any more may run by the baseline."
        ).format(now=_called(now))
    if now.accepts_taint and not then.accepts_taint:
        yield gettext("The rule {now} also allows after reading text from outside.").format(
            now=_called(now)
        )
    highest, lowest = _highest(before.thresholds), _lowest(after.thresholds)
    was = basis_points(then.threshold) if then.threshold is not None else highest
    is_now = basis_points(now.threshold) if now.threshold is not None else lowest
    if then.threshold != now.threshold and is_now < was:
        yield gettext("The threshold of the rule {now} is lower.").format(now=_called(now))


def _delegates(before: Policy, after: Policy, catalogue: Sequence[ToolFacts]) -> Iterator[str]:
    kept = {rule.name: rule for rule in before.rules}
    for rule in after.rules:
        gained = rule.group in after.delegates and rule.group not in before.delegates
        if gained and rule.effect == "allow" and kept.get(rule.name) == rule:
            yield gettext("The rule {rule} counts now, and allows something.").format(
                rule=_called(rule)
            )
    lost = set(before.delegates) - set(after.delegates)
    for rule in after.rules:
        inert = rule.effect == "allow" and rule.group in lost and kept.get(rule.name) == rule
        if inert and not _may_go(rule, after, catalogue):
            yield gettext(
                "Without the rule {rule}, what it kept back may run by the baseline."
            ).format(rule=_called(rule))


def _rest(before: Policy, after: Policy) -> Iterator[str]:
    if after.undo_seconds < before.undo_seconds:
        yield gettext("There is less time to take an approval back.")
    if after.review_hours > before.review_hours:
        yield gettext("There is more time to decide before silence counts as a no.")
    if after.calendar not in ("", before.calendar):
        yield gettext(
            "The hours to decide are counted by another calendar, which may leave more time."
        )
    if after.sticky_hours > before.sticky_hours:
        yield gettext("Sticky approvals may last longer.")
    compared = {"sticky_hours", "thresholds", "baseline", "rules", "delegates", "undo_seconds"}
    compared |= {"review_hours", "calendar"}
    for name, title in _fields(before).items():
        if name not in compared and getattr(before, name) != getattr(after, name):
            yield gettext("{title} changed.").format(title=title)


def _fields(policy: Policy) -> Mapping[str, str]:
    return {name: name.replace("_", " ").capitalize() for name in type(policy).model_fields}


def asks_for_as_much(now: Requirements, then: Requirements, policy: Policy) -> bool:
    """Whether whatever satisfies `now` satisfies `then`, under the policy's own times."""
    return (
        permits_as_little(now, then)
        and (now.review_hours or policy.review_hours) <= (then.review_hours or policy.review_hours)
        and _calendar(now, policy) in ("", _calendar(then, policy))
        and now.extend_limit_hours <= then.extend_limit_hours
        and _undo(now, policy) >= _undo(then, policy)
    )


def permits_as_little(now: Requirements, then: Requirements) -> bool:
    """The same without the times to decide and to take back: who must approve, and confirmed how."""
    counts = {need.group: need.count for need in now.groups}
    return (
        all(counts.get(need.group, 0) >= need.count for need in then.groups)
        and (now.exclude_owner or not then.exclude_owner)
        and (then.editor_may_approve or not now.editor_may_approve)
        and _friction(now) >= _friction(then)
        and _escalates_no_further(now, then)
        and _minutes(now) <= _minutes(then)
    )


def _friction(needs: Requirements) -> tuple[int, int]:
    seconds = needs.friction_seconds
    if needs.friction == Friction.SECOND_FACTOR:
        # The fresher it must be, the more is asked.
        return needs.friction.rank, -needs.second_factor_seconds
    return needs.friction.rank, seconds if needs.friction == Friction.READING else 0


def _escalates_no_further(now: Requirements, then: Requirements) -> bool:
    if now.on_expiry == Expiry.REJECT:
        return True
    return then.on_expiry == Expiry.ESCALATE and set(now.escalation) <= set(then.escalation)


def _minutes(needs: Requirements) -> float:
    return needs.execute_by_minutes if needs.execute_by_minutes is not None else float("inf")


def _calendar(needs: Requirements, policy: Policy) -> str:
    """The calendar whose hours count; around the clock, hours are over the soonest."""
    return policy.calendar if needs.calendar is None else needs.calendar


def _undo(needs: Requirements, policy: Policy) -> float:
    return policy.undo_seconds if needs.undo_seconds is None else needs.undo_seconds


def covers(wide: When, narrow: When) -> bool:
    """Whether `wide` speaks of everything that `narrow` speaks of; False where that cannot be told."""
    return (
        _holds_all(wide.agents, narrow.agents)
        and _holds_all(wide.tools, narrow.tools)
        and _holds_all(wide.effects, narrow.effects)
        and wide.reversible in (None, narrow.reversible)
        and wide.tainted in (None, narrow.tainted)
        and wide.first_use in (None, narrow.first_use)
        and (
            wide.risk_at_least is None
            or (narrow.risk_at_least is not None and wide.risk_at_least <= narrow.risk_at_least)
        )
        and (
            wide.rate_above is None
            or (narrow.rate_above is not None and wide.rate_above <= narrow.rate_above)
        )
        and wide.time_window in (None, narrow.time_window)
        and wide.condition in (None, narrow.condition)
    )


def _meet(one: When, other: When) -> bool:
    """Whether both might speak of the same action."""
    names = ((one.agents, other.agents), (one.tools, other.tools))
    return all(not a or not b or bool(set(a) & set(b)) for a, b in names)


def _holds_all(wide: Collection[str], narrow: Collection[str]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _natures(when: When, catalogue: Sequence[ToolFacts]) -> list[Nature]:
    """What the actions may be like that the conditions speak of."""
    known: Sequence[Nature] = EVERY_NATURE
    facts = {(each.agent, each.tool): each for each in catalogue}
    if when.agents and when.tools and {agent for agent, _ in facts} >= set(when.agents):
        pairs = [facts[pair] for pair in product(when.agents, when.tools) if pair in facts]
        known = [(each.risk, each.effects, each.reversible) for each in pairs]
    return [
        (risk, effects, reversible)
        for risk, effects, reversible in known
        if (when.risk_at_least is None or risk >= when.risk_at_least)
        and (not when.effects or not effects.isdisjoint(when.effects))
        and when.reversible in (None, reversible)
    ]


def _at(policy: Policy, nature: Nature) -> Baseline:
    risk, effects, reversible = nature
    return baseline_of(policy, risk=risk, effects=effects, reversible=reversible)


def _is_active(rule: Rule, policy: Policy) -> bool:
    """A group's allow rule counts only where the policy delegates to the group."""
    return rule.group is None or rule.effect != "allow" or rule.group in policy.delegates


def _lowest(thresholds: Thresholds) -> int:
    return min(_every(thresholds))


def _highest(thresholds: Thresholds) -> int:
    return max(_every(thresholds))


def _every(thresholds: Thresholds) -> Iterator[int]:
    for agent, tool, risk in _threshold_cases(thresholds):
        yield thresholds.resolve(agent=agent, tool=tool, risk=risk).value_bp


def _called(rule: Rule) -> str:
    return f"“{rule.title or rule.name}”"

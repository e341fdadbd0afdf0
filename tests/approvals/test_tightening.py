"""Whether a policy only tightens another: what is said never lets more through."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.gate import judge
from approvals.policies import (
    BaselineRow,
    Policy,
    PublishedPolicy,
    Rule,
    When,
    default_policy,
)
from approvals.schemas import Confidence, GateVerdict, GroupNeed, Requirements
from approvals.thresholds import Thresholds
from approvals.tightening import ToolFacts, asks_for_as_much, covers, loosenings
from approvals.vocabulary import Effect, Expiry, Friction, GateOutcome, Risk
from tests.approvals.every_field import OTHER, RULE, WHOLE, changed, fields_of, with_rule
from tests.approvals.till import AGENT, context, one_of, refund
from tests.harness.rounds import rounds

STRICTNESS = {GateOutcome.ALLOW: 0, GateOutcome.REVIEW: 1, GateOutcome.DENY: 2}
PAY_BACK = ToolFacts(AGENT, "pay_back", Risk.HIGH, frozenset({Effect.MONEY}), reversible=True)

shares = st.sampled_from([Decimal("0.5"), Decimal("0.8"), Decimal("0.95")])
tools = st.sampled_from(["pay_back", "look_up"])
agents = st.sampled_from([AGENT, "other"])
risks = st.sampled_from(list(Risk))
groups = st.sampled_from(["@owner", "finance"])


@st.composite
def requirements(draw: st.DrawFn) -> Requirements:
    chosen = draw(st.lists(groups, min_size=1, max_size=2, unique=True))
    return Requirements(
        groups=tuple(GroupNeed(group=g, count=draw(st.integers(1, 2))) for g in chosen),
        editor_may_approve=draw(st.booleans()),
        friction=draw(st.sampled_from(list(Friction))),
        friction_seconds=draw(st.sampled_from([0, 60, 1_000])),
        on_expiry=draw(st.sampled_from(list(Expiry))),
        escalation=tuple(draw(st.lists(groups, max_size=1))),
        execute_by_minutes=draw(st.sampled_from([None, 5])),
        extend_limit_hours=draw(st.sampled_from([0, 72])),
    )


#: One thing at a time, so that most rules speak of the actions that are tried.
NARROWED = [
    {},
    {},
    {"agents": [AGENT], "tools": ["pay_back"]},
    {"agents": [AGENT], "tools": ["pay_back"], "condition": "args.amount <= 50"},
    {"agents": [AGENT], "tools": ["pay_back"], "condition": "args.absent > 1"},
    {"agents": ["other"]},
    {"effects": ["money"]},
    {"reversible": False},
    {"risk_at_least": "medium"},
    {"tainted": True},
    {"tainted": False},
    {"rate_above": 5},
    {"rate_above": 0},
    {"condition": "args.amount <= 50"},
    {"condition": "args.absent > 1"},
]
conditions = st.sampled_from([When.model_validate(each) for each in NARROWED])


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    effect = draw(st.sampled_from(["allow", "review", "deny"]))
    more: dict[str, Any] = {}
    if effect == "allow":
        more = {"threshold": draw(st.none() | shares), "accepts_taint": draw(st.booleans())}
    if effect == "review":
        more = {"requirements": draw(st.none() | requirements())}
    scope = draw(st.sampled_from(["global", "global", "group:support"]))
    return Rule(name=name, scope=scope, when=draw(conditions), effect=effect, **more)


@st.composite
def baselines(draw: st.DrawFn) -> BaselineRow:
    return BaselineRow(
        risks=tuple(draw(st.lists(risks, max_size=3, unique=True))),
        reversible=draw(st.sampled_from([None, None, True])),
        outcome=draw(st.sampled_from(["allow", "review"])),
        requirements=draw(st.just(Requirements()) | requirements()),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    names = ["a", "b", "c"][: draw(st.integers(0, 3))]
    return Policy(
        thresholds=Thresholds(
            default=draw(shares),
            risks=draw(st.dictionaries(risks, shares, max_size=2)),
            tools=draw(st.dictionaries(tools, shares, max_size=1)),
            agents=draw(st.dictionaries(agents, shares, max_size=1)),
            agent_tools=draw(
                st.dictionaries(agents, st.dictionaries(tools, shares, max_size=1), max_size=1)
            ),
        ),
        baseline=tuple(draw(st.lists(baselines(), max_size=3))),
        rules=tuple(draw(rules(name)) for name in names),
        delegates=tuple(draw(st.lists(st.just("support"), max_size=1))),
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Policy, Policy]:
    """A policy and one that differs in one part."""
    before, other = draw(policies()), draw(policies())
    part = draw(
        st.sampled_from(
            ["thresholds", "baseline", "delegates", "removed", "added", "changed", "rules"]
        )
    )
    changes: dict[str, Any] = {}
    if part == "removed":
        changes["rules"] = before.rules[1:]
    elif part == "added":
        changes["rules"] = (*before.rules, draw(rules("z")))
    elif part == "changed" and before.rules:
        first, source = before.rules[0], draw(rules("z"))
        names = ["when", "scope"]
        if first.effect == source.effect:
            names += {"allow": ["threshold", "accepts_taint"], "review": ["requirements"]}.get(
                first.effect, []
            )
        name = draw(st.sampled_from(names))
        changed = first.model_copy(update={name: getattr(source, name)})
        changes["rules"] = (changed, *before.rules[1:])
    elif part in Policy.model_fields:
        changes[part] = getattr(other, part)
    return before, before.model_copy(update=changes)


def judged(policy: Policy, action: Any, confidence: Confidence, about: Any) -> GateVerdict:
    return judge(action, confidence, about, PublishedPolicy(1, "sha256:" + "0" * 64, policy))


@given(pair=pairs(), risk=risks, money=st.booleans(), reversible=st.booleans())
@settings(max_examples=rounds(250), deadline=None)
def test_what_only_tightens_lets_nothing_more_through(
    pair: tuple[Policy, Policy], risk: Risk, money: bool, reversible: bool
) -> None:
    before, after = pair
    effects = frozenset({Effect.MONEY}) if money else frozenset()
    nature: dict[str, Any] = {"risk": risk, "effects": effects, "reversible": reversible}
    if loosenings(before, after, [ToolFacts(AGENT, "pay_back", **nature)]):
        return
    for amount, points, tainted, rate in product(
        ("20.00", "80.00"), (0, 6_000, 8_500, 10_000), (False, True), (0, 9)
    ):
        about = context(tainted=tainted, calls_last_hour=rate)
        confidence = Confidence(raw_bp=points, source="self_reported")
        action = refund(amount, **nature)
        then, now = (judged(each, action, confidence, about) for each in (before, after))
        assert STRICTNESS[now.outcome] >= STRICTNESS[then.outcome]
        if then.requirements and now.requirements:
            assert asks_for_as_much(now.requirements, then.requirements, before)


def rule(effect: str, **more: Any) -> Rule:
    return Rule.model_validate({"name": "one", "effect": effect} | more)


def with_rules(*given_rules: Rule, **changes: Any) -> Policy:
    return default_policy().model_copy(update={"rules": given_rules, **changes})


ALLOW = rule(
    "allow",
    when={"agents": [AGENT], "tools": ["pay_back"], "condition": "args.amount <= 50"},
    threshold="0.80",
    accepts_taint=True,
)
REVIEW = rule("review", requirements=one_of("finance", "@owner").model_dump())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (default_policy(), default_policy().with_threshold("0.95", risk=Risk.LOW)),
        (default_policy(), default_policy().with_threshold("0.99", tool="pay_back")),
        (default_policy(), with_rules(rule("deny", when={"tools": ["pay_back"]}))),
        (with_rules(ALLOW), with_rules()),
        (with_rules(ALLOW), with_rules(ALLOW.model_copy(update={"threshold": Decimal("0.9")}))),
        (with_rules(ALLOW), with_rules(ALLOW.model_copy(update={"accepts_taint": False}))),
        (
            with_rules(REVIEW),
            with_rules(REVIEW.model_copy(update={"effect": "deny", "requirements": None})),
        ),
        (default_policy(), default_policy(undo_seconds=30)),
        (default_policy(), with_rules(rule("review", scope="group:support"))),
    ],
)
def test_what_only_tightens_is_known_as_such(before: Policy, after: Policy) -> None:
    assert loosenings(before, after, [PAY_BACK]) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            default_policy(),
            default_policy().with_threshold("0.5", risk=Risk.LOW),
            "threshold is lower",
        ),
        (default_policy(), default_policy().with_threshold("0.5", tool="x"), "threshold is lower"),
        (default_policy(), with_rules(ALLOW), "“one” allows something"),
        (with_rules(REVIEW), with_rules(), "“one” is gone"),
        (with_rules(rule("deny")), with_rules(), "“one” is gone"),
        (
            with_rules(ALLOW),
            with_rules(ALLOW.model_copy(update={"threshold": Decimal("0.7")})),
            "threshold of the rule “one” is lower",
        ),
        (
            with_rules(ALLOW.model_copy(update={"accepts_taint": False})),
            with_rules(ALLOW),
            "reading text from outside",
        ),
        (
            with_rules(rule("deny")),
            with_rules(rule("deny", when={"tools": ["pay_back"]})),
            "speaks of less",
        ),
        (with_rules(REVIEW), with_rules(rule("review")), "asks for less than it did"),
        (
            default_policy(),
            default_policy().model_copy(
                update={"baseline": (*default_policy().baseline[:2], BaselineRow())}
            ),
            "a review asks for less",
        ),
        (
            default_policy(),
            with_rules(rule("review", requirements=one_of("finance").model_dump())),
            "asks for less than the baseline",
        ),
        (
            default_policy(),
            default_policy().model_copy(update={"baseline": default_policy().baseline[:2]}),
            "something runs by itself that was reviewed",
        ),
        (default_policy(), default_policy(undo_seconds=0), "less time to take"),
        (default_policy(), default_policy(review_hours=48), "more time to decide"),
        (default_policy(), default_policy(calendar="office"), "another calendar"),
        (default_policy(calendar="office"), default_policy(calendar="other"), "another calendar"),
        (
            with_rules(rule("review", requirements=one_of("finance", calendar="").model_dump())),
            with_rules(
                rule("review", requirements=one_of("finance", calendar="office").model_dump())
            ),
            "asks for less than it did",
        ),
        (
            with_rules(rule("allow", scope="group:support")),
            with_rules(rule("allow", scope="group:support"), delegates=("support",)),
            "counts now",
        ),
        (
            with_rules(rule("allow", when={"condition": "args.absent > 1"})),
            with_rules(),
            "may run by the baseline",
        ),
        (
            with_rules(rule("allow", threshold="0.95")),
            with_rules(),
            "may run by the baseline",
        ),
    ],
)
def test_what_may_let_more_through_is_said(before: Policy, after: Policy, said: str) -> None:
    found = loosenings(before, after, [PAY_BACK])
    assert any(said in sentence for sentence in found), found


def test_counting_around_the_clock_only_tightens() -> None:
    before, after = default_policy(calendar="office"), default_policy()
    assert loosenings(before, after, [PAY_BACK]) == []
    assert loosenings(after, after, [PAY_BACK]) == []
    needs = one_of("finance")
    around, office = (needs.model_copy(update={"calendar": name}) for name in ("", "office"))
    assert asks_for_as_much(around, office, before)
    assert asks_for_as_much(needs, office, before)
    assert not asks_for_as_much(needs, office, default_policy(calendar="other"))


def test_covering_looks_at_every_field() -> None:
    narrow = When(agents=("a",), tools=("t",), condition="args.x > 1", rate_above=5, tainted=True)
    assert covers(When(), narrow)
    assert covers(narrow, narrow)
    assert covers(When(agents=("a", "b"), rate_above=2), narrow)
    for one in (
        {"agents": ("b",)},
        {"rate_above": 9},
        {"tainted": False},
        {"condition": "args.x > 2"},
    ):
        assert not covers(When(**one), narrow)
    assert not covers(narrow, When())


#: What a request is called, and when it reminds: neither lets more nor less through.
NEITHER = {"title", "reminder"}
#: What a field says something about only then.
BESIDE: dict[str, dict[str, Any]] = {
    "friction_seconds": {"friction": Friction.READING},
    "escalation": {"on_expiry": Expiry.ESCALATE},
}


@pytest.mark.parametrize(
    "field",
    [name for name in fields_of(Rule) if name not in {"name", "threshold", "accepts_taint"}],
)
def test_every_field_of_a_review_has_a_direction(field: str) -> None:
    rule = RULE
    for name, value in BESIDE.get(field, {}).items():
        rule = changed(rule, name, value)
    before, after = with_rule(rule), with_rule(changed(rule, field, OTHER[field]))
    ways = loosenings(before, after), loosenings(after, before)
    assert any(ways) is (field not in NEITHER), ways


@pytest.mark.parametrize("field", ["threshold", "accepts_taint"])
def test_every_field_of_an_allowance_has_a_direction(field: str) -> None:
    allows = Rule(name="small", effect="allow")
    before, after = with_rule(allows), with_rule(changed(allows, field, OTHER[field]))
    assert loosenings(before, after) or loosenings(after, before)


@pytest.mark.parametrize(
    "field", [name for name in Policy.model_fields if name != "schema_version"]
)
def test_every_part_of_a_policy_has_a_direction(field: str) -> None:
    # To delegate means something where a group has a rule of its own that allows.
    before = with_rule(Rule(name="own", scope="group:support", effect="allow"))
    after = before.model_copy(update={field: WHOLE[field]})
    assert loosenings(before, after) or loosenings(after, before)

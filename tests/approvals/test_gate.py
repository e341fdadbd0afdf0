"""The gate, by table."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from approvals.coin import toss
from approvals.gate import judge, sampled
from approvals.policies import Policy, PublishedPolicy, default_policy, load
from approvals.reasons import without_score
from approvals.schemas import Confidence
from approvals.vocabulary import Effect, GateOutcome, Risk
from tests.approvals.till import context, refund, sure

_RUN = UUID("0198c0de-0000-7000-8000-000000000001")

SMALL = {
    "name": "small-refunds",
    "effect": "allow",
    "threshold": 0.8,
    "accepts_taint": True,
    "when": {"tools": ["pay_back"], "condition": "args.amount <= 50"},
}
LARGE = {
    "name": "large-refunds",
    "effect": "review",
    "when": {"tools": ["pay_back"], "condition": "args.amount > 50"},
    "requirements": {"groups": [{"group": "finance"}]},
}
NEVER = {"name": "never", "effect": "deny", "when": {"condition": "args.amount > 400"}}


def published(*rules: dict[str, Any], **changes: Any) -> PublishedPolicy:
    policy = load(default_policy().document() | {"rules": list(rules)} | changes)
    return PublishedPolicy(7, policy.digest(), policy)


def groups(verdict: Any) -> dict[str, int]:
    return {need.group: need.count for need in verdict.requirements.groups}


def codes(verdict: Any) -> set[str]:
    return {reason.code for reason in verdict.reasons}


@pytest.mark.parametrize(
    ("risk", "points", "outcome"),
    [
        (Risk.LOW, 8_000, GateOutcome.ALLOW),
        (Risk.LOW, 7_999, GateOutcome.REVIEW),
        (Risk.MEDIUM, 10_000, GateOutcome.REVIEW),
        (Risk.HIGH, 10_000, GateOutcome.REVIEW),
        (Risk.CRITICAL, 10_000, GateOutcome.REVIEW),
    ],
)
def test_shipped_policy_lets_only_low_risk_run(
    risk: Risk, points: int, outcome: GateOutcome
) -> None:
    action = refund(risk=risk, effects=frozenset())
    assert judge(action, sure(points), context(), published()).outcome == outcome


@pytest.mark.parametrize(
    ("changes", "people"),
    [
        ({"risk": Risk.MEDIUM, "effects": frozenset()}, 1),
        ({"risk": Risk.HIGH}, 1),
        ({"risk": Risk.CRITICAL}, 2),
        ({"risk": Risk.LOW, "reversible": False}, 2),
        ({"risk": Risk.LOW, "effects": frozenset({Effect.DESTRUCTIVE}), "reversible": False}, 2),
    ],
)
def test_critical_and_irreversible_harm_needs_two_people(
    changes: dict[str, Any], people: int
) -> None:
    verdict = judge(refund(**changes), sure(10_000), context(), published())
    assert verdict.outcome == GateOutcome.REVIEW
    assert groups(verdict) == {"@owner": people}


def test_clear_small_refund_runs_and_unclear_and_large_ones_wait() -> None:
    policy = published(SMALL, LARGE)
    assert judge(refund("50.00"), sure(8_000), context(), policy).outcome == GateOutcome.ALLOW
    unclear = judge(refund("50.00"), sure(7_999), context(), policy)
    assert unclear.outcome == GateOutcome.REVIEW
    assert "below_threshold" in codes(unclear)
    large = judge(refund("50.01"), sure(10_000), context(), policy)
    assert groups(large) == {"finance": 1}
    assert large.rule == "large-refunds"


def test_taint_stops_what_does_not_accept_it() -> None:
    tainted = context(tainted=True, tainted_by=("read_ticket",))
    accepted = judge(refund(), sure(9_000), tainted, published(SMALL))
    assert accepted.allowed
    strict = judge(refund(), sure(9_000), tainted, published(SMALL | {"accepts_taint": False}))
    assert strict.outcome == GateOutcome.REVIEW
    assert "tainted" in codes(strict)


def test_tainted_low_risk_effect_is_reviewed_and_a_read_is_not() -> None:
    tainted = context(tainted=True, tainted_by=("read_ticket",))
    read = refund(risk=Risk.LOW, effects=frozenset())
    mail = refund(risk=Risk.LOW, effects=frozenset({Effect.EXTERNAL_COMMUNICATION}))
    assert judge(read, sure(9_000), tainted, published()).allowed
    assert not judge(mail, sure(9_000), tainted, published()).allowed


def test_a_rule_that_does_not_accept_taint_lowers_no_threshold_in_a_tainted_run() -> None:
    tainted = context(tainted=True, tainted_by=("read_ticket",))
    read = refund(risk=Risk.LOW, effects=frozenset())
    lax = SMALL | {"threshold": 0.1, "accepts_taint": False}
    assert judge(read, sure(5_000), context(), published(lax)).rule == "small-refunds"
    verdict = judge(read, sure(5_000), tainted, published(lax))
    assert verdict.outcome == GateOutcome.REVIEW
    assert verdict.threshold_bp == 8_000
    strict = SMALL | {"threshold": 0.9, "accepts_taint": False}
    assert not judge(read, sure(8_500), tainted, published(strict)).allowed
    assert judge(read, sure(8_500), tainted, published()).allowed


def test_a_deny_wins_over_everything() -> None:
    verdict = judge(refund("450.00"), sure(10_000), context(), published(SMALL, LARGE, NEVER))
    assert verdict.denied
    assert verdict.rule == "never"


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ({"order": "1", "amount": "a lot"}, GateOutcome.DENY),
        ({"order": "1"}, GateOutcome.DENY),
        ({"order": "1", "amount": None}, GateOutcome.DENY),
        ({"order": "1", "amount": "50.000000000000000000001"}, GateOutcome.DENY),
        ({"order": "1", "amount": [50]}, GateOutcome.DENY),
    ],
)
def test_condition_without_an_answer_denies_in_a_deny_rule(
    arguments: dict[str, Any], outcome: GateOutcome
) -> None:
    action = refund(arguments=arguments)
    assert judge(action, sure(10_000), context(), published(NEVER)).outcome == outcome


@pytest.mark.parametrize("amount", ["a lot", None, "NaN", "50.000000000000000000001"])
def test_condition_without_an_answer_reviews_elsewhere(amount: str | None) -> None:
    action = refund(arguments={"order": "1", "amount": amount})
    verdict = judge(action, sure(10_000), context(), published(SMALL))
    assert verdict.outcome == GateOutcome.REVIEW
    assert codes(verdict) >= {"condition_failed"}


def test_deeply_nested_and_huge_arguments_are_not_evaluated() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = {"inner": deep}
    rule = SMALL | {"when": {"condition": "has(args.order)"}}
    for arguments in ({"order": deep}, {"order": ["x"] * 10_000}, {"order": "x" * 200_000}):
        verdict = judge(refund(arguments=arguments), sure(10_000), context(), published(rule))
        assert verdict.outcome == GateOutcome.REVIEW


def test_a_loop_over_many_values_is_refused_instead_of_run() -> None:
    condition = "args.order.all(x, args.order.all(y, x + y >= 0))"
    rule = SMALL | {"when": {"condition": condition}}
    action = refund(arguments={"order": list(range(2_000))})
    assert judge(action, sure(10_000), context(), published(rule)).outcome == GateOutcome.REVIEW


def test_unknown_tool_and_kill_switch_are_denied() -> None:
    assert judge(refund(known=False), sure(10_000), context(), published(SMALL)).denied
    stopped = judge(refund(), sure(10_000), context(stopped="Switched off."), published(SMALL))
    assert stopped.denied
    assert codes(stopped) == {"stopped"}


def test_action_that_nothing_speaks_of_is_reviewed() -> None:
    verdict = judge(refund(), sure(10_000), context(), published(baseline=[]))
    assert verdict.outcome == GateOutcome.REVIEW
    assert codes(verdict) == {"nothing_speaks"}


@pytest.mark.parametrize("confidence", [None, Confidence()])
def test_missing_confidence_counts_as_zero(confidence: Confidence | None) -> None:
    action = refund(risk=Risk.LOW, effects=frozenset())
    verdict = judge(action, confidence, context(), published())
    assert verdict.outcome == GateOutcome.REVIEW
    assert verdict.confidence_bp == 0


def test_calibrated_confidence_counts_before_the_raw_one() -> None:
    action = refund(risk=Risk.LOW, effects=frozenset())
    calibrated = Confidence(raw_bp=9_900, calibrated_bp=5_000)
    assert not judge(action, calibrated, context(), published()).allowed


def test_an_error_inside_the_gate_is_a_review() -> None:
    broken = Policy.model_construct(thresholds=None, undo_seconds=10, review_hours=24)
    verdict = judge(refund(), sure(10_000), context(), PublishedPolicy(1, "", broken))
    assert verdict.outcome == GateOutcome.REVIEW
    assert codes(verdict) == {"gate_error"}


@pytest.mark.parametrize(
    ("table", "value", "source"),
    [
        ({"default": 0.1, "risks": {}}, 1_000, "default"),
        ({"risks": {"low": 0.2}}, 2_000, "risk"),
        ({"risks": {"low": 0.2}, "agents": {"till": 0.3}}, 3_000, "agent"),
        ({"agents": {"till": 0.3}, "tools": {"pay_back": 0.4}}, 4_000, "tool"),
        (
            {"tools": {"pay_back": 0.4}, "agent_tools": {"till": {"pay_back": 0.5}}},
            5_000,
            "agent_tool",
        ),
        ({"tools": {"other": 0.4}, "agent_tools": {"till": {"other": 0.5}}}, 8_000, "default"),
    ],
)
def test_most_specific_threshold_counts(table: dict[str, Any], value: int, source: str) -> None:
    action = refund(risk=Risk.LOW, effects=frozenset())
    policy = published(thresholds=table)
    below = judge(action, sure(value - 1), context(), policy)
    assert below.threshold_bp == value
    assert below.reasons[0].params["source"] == source
    assert judge(action, sure(value), context(), policy).allowed


def test_requirements_of_several_rules_add_up() -> None:
    other = {
        "name": "tainted",
        "effect": "review",
        "when": {"tainted": True},
        "requirements": {"groups": [{"group": "support", "count": 2}], "friction": "typed"},
    }
    tainted = context(tainted=True)
    verdict = judge(refund("60.00"), sure(10_000), tainted, published(LARGE, other))
    assert groups(verdict) == {"finance": 1, "support": 2}
    assert verdict.requirements is not None
    assert verdict.requirements.friction == "typed"


def test_a_groups_own_rule_speaks_of_its_agents_only_and_only_tightens() -> None:
    deny = {"name": "own", "scope": "group:support", "effect": "deny", "when": {}}
    assert judge(refund(), sure(), context(), published(deny)).denied
    elsewhere = refund(owner_group="finance")
    assert not judge(elsewhere, sure(), context(), published(deny)).denied
    loosen = SMALL | {"scope": "group:support"}
    assert not judge(refund(), sure(10_000), context(), published(loosen)).allowed
    delegated = published(loosen, delegates=["support"])
    assert judge(refund(), sure(10_000), context(), delegated).allowed


def test_a_groups_own_review_adds_to_what_the_baseline_asks() -> None:
    own = LARGE | {"scope": "group:support"}
    action = refund("60.00", risk=Risk.CRITICAL)
    verdict = judge(action, sure(10_000), context(), published(own))
    assert groups(verdict) == {"@owner": 2, "finance": 1}


def test_undo_time_is_the_policys_on_consequential_actions_only() -> None:
    consequential = judge(refund(), sure(), context(), published(undo_seconds=9))
    assert consequential.requirements is not None
    assert consequential.requirements.undo_seconds == 9
    read = refund(risk=Risk.LOW, effects=frozenset())
    looked_at = judge(read, sure(0), context(), published(undo_seconds=9))
    assert looked_at.requirements is not None
    assert looked_at.requirements.undo_seconds == 0


@pytest.mark.parametrize(
    ("asked", "of_critical"),
    [
        ({}, ("typed", 0)),
        ({"friction": "reading", "friction_seconds": 30}, ("typed", 0)),
        ({"friction": "typed"}, ("typed", 0)),
        ({"friction": "second_factor"}, ("second_factor", 0)),
    ],
)
def test_what_is_critical_is_typed_at_least_whatever_the_policy_asks(
    asked: dict[str, Any], of_critical: tuple[str, int]
) -> None:
    policy = published(LARGE | {"requirements": asked}, SMALL)
    for risk in Risk:
        needs = judge(refund("60.00", risk=risk), sure(), context(), policy).requirements
        assert needs is not None
        own = (asked.get("friction", "none"), asked.get("friction_seconds", 0))
        expected = of_critical if risk is Risk.CRITICAL else own
        assert (needs.friction, needs.friction_seconds) == expected
    # So is what runs by itself, and was drawn to be looked at.
    small = refund(risk=Risk.CRITICAL)
    allowed = judge(small, sure(9_000), context(), policy)
    coin = toss("s", run_id=_RUN, action=small, verdict=allowed, rate=1.0, hidden_rate=0.0)
    drawn = sampled(allowed, coin, small, policy.policy).requirements
    assert drawn is not None
    assert drawn.friction == "typed"


def test_sampled_action_reads_like_an_ordinary_review_with_its_score_hidden() -> None:
    policy = published(SMALL)
    allowed = judge(refund(), sure(9_000), context(), policy)
    coin = toss("s", run_id=_RUN, action=refund(), verdict=allowed, rate=1.0, hidden_rate=0.0)
    assert coin.is_sample
    assert not coin.score_visible
    sample = sampled(allowed, coin, refund(), policy.policy)
    ordinary = judge(refund(), sure(7_000), context(), policy)
    assert sample.outcome == GateOutcome.REVIEW
    seen = [
        without_score([reason.model_dump() for reason in verdict.reasons])
        for verdict in (sample, ordinary)
    ]
    assert seen[0] == seen[1]
    assert sample.requirements == ordinary.requirements
    assert sample.rule == ordinary.rule == ""


def test_reads_are_never_sampled() -> None:
    read = refund(risk=Risk.LOW, effects=frozenset())
    allowed = judge(read, sure(9_000), context(), published())
    coin = toss("s", run_id=_RUN, action=read, verdict=allowed, rate=1.0, hidden_rate=0.0)
    assert not coin.is_sample


def test_rewording_draws_the_same_coin() -> None:
    first = refund(identity={"order": "10291", "amount": "42.00"})
    again = refund(identity={"order": " 10291", "amount": "42"})
    other = refund(identity={"order": "10292", "amount": "42"})
    verdict = judge(first, sure(), context(), published())
    coins = [
        toss("s", run_id=_RUN, action=action, verdict=verdict, rate=0.1, hidden_rate=0.1).value
        for action in (first, again, other)
    ]
    assert coins[0] == coins[1] != coins[2]

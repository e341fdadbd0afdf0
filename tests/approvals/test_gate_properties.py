"""What holds for the gate whatever the policy and the action."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.gate import judge
from approvals.policies import PublishedPolicy, default_policy, load
from approvals.schemas import Confidence, GateContext, ProposedAction
from approvals.vocabulary import Effect, GateOutcome, Risk
from tests.approvals.till import context, refund
from tests.harness.rounds import rounds

ANSWERED = [
    "args.amount <= 50",
    "args.amount > 50",
    "args.order == '1'",
    "has(args.note)",
    "size(args.order) > 3",
    "args.order in ['1', '2']",
    "true",
    "false",
]
UNANSWERED = [
    "args.missing > 1",
    "args.order > 5",
    "1 / 0 == 1",
    "args.order",
    "args.order + 1 == 'x'",
    "args.order.matches('(')",
    "int('x') == 1",
]

conditions = st.sampled_from([None, *ANSWERED, *UNANSWERED])
hours = st.times().map(lambda at: at.replace(microsecond=0, tzinfo=None).isoformat())
windows = st.fixed_dictionaries(
    {},
    optional={
        "days": st.lists(st.integers(0, 6), max_size=7, unique=True),
        "start": hours,
        "until": hours,
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
    },
)
whens = st.fixed_dictionaries(
    {},
    optional={
        "agents": st.sampled_from([[], ["till"], ["other"]]),
        "tools": st.sampled_from([[], ["pay_back"], ["other"]]),
        "effects": st.lists(st.sampled_from(list(Effect)), max_size=2),
        "reversible": st.booleans(),
        "risk_at_least": st.sampled_from(list(Risk)),
        "tainted": st.booleans(),
        "first_use": st.booleans(),
        "rate_above": st.integers(0, 5),
        "time_window": windows,
        "condition": conditions,
    },
)
scopes = st.sampled_from(["global", "global", "group:support", "group:finance"])


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    effect = draw(st.sampled_from(["allow", "review", "deny"]))
    rule: dict[str, Any] = {
        "name": f"rule-{draw(st.integers(0, 10**9))}",
        "scope": draw(scopes),
        "effect": effect,
        "when": draw(whens),
    }
    if effect == "allow":
        rule["threshold"] = draw(st.sampled_from([None, 0, 0.5, 0.9, 1]))
        rule["accepts_taint"] = draw(st.booleans())
    if effect == "review":
        group = draw(st.sampled_from(["@owner", "finance", "support"]))
        rule["requirements"] = {
            "groups": [{"group": group, "count": draw(st.integers(1, 3))}],
            "friction": draw(st.sampled_from(["none", "reading", "typed", "second_factor"])),
            "exclude_owner": draw(st.booleans()) and group != "@owner",
        }
    return rule


shares = st.sampled_from(["0", "0.5", "0.8", "0.9999", "1"])
thresholds = st.fixed_dictionaries(
    {"default": shares},
    optional={
        "risks": st.dictionaries(st.sampled_from([risk.value for risk in Risk]), shares),
        "agents": st.dictionaries(st.sampled_from(["till", "other"]), shares),
        "tools": st.dictionaries(st.sampled_from(["pay_back", "other"]), shares),
        "agent_tools": st.dictionaries(
            st.just("till"), st.dictionaries(st.sampled_from(["pay_back", "other"]), shares)
        ),
    },
)
lines = st.fixed_dictionaries(
    {"outcome": st.sampled_from(["allow", "review"])},
    optional={
        "risks": st.lists(st.sampled_from([risk.value for risk in Risk]), max_size=3),
        "effects": st.lists(st.sampled_from([effect.value for effect in Effect]), max_size=2),
        "reversible": st.booleans(),
    },
)
delegations = st.lists(st.sampled_from(["support", "finance"]), unique=True)


rule_lists = st.lists(rules(), max_size=6, unique_by=lambda rule: rule["name"])
actions = st.builds(
    lambda amount, order, risk, effects, reversible, known: refund(
        arguments={"order": order, "amount": amount},
        risk=risk,
        effects=frozenset(effects),
        reversible=reversible,
        known=known,
    ),
    st.sampled_from(["1.00", "50.00", "50.01", "1e999", "not a number", "", 7, None, ["1"]]),
    st.sampled_from(["1", "2"]),
    st.sampled_from(list(Risk)),
    st.sets(st.sampled_from(list(Effect)), max_size=2),
    st.booleans(),
    st.sampled_from([True, True, True, False]),
)
scores = st.one_of(st.none(), st.integers(0, 10_000))
confidences = st.one_of(
    st.none(),
    st.builds(
        Confidence,
        raw_bp=scores,
        calibrated_bp=scores,
        source=st.sampled_from(["self_reported", "verifier", "agreement", "none"]),
    ),
)
contexts = st.builds(
    lambda at, tainted, first, calls, stopped: context(
        at=at,
        tainted=tainted,
        tainted_by=("read_letter",) if tainted else (),
        first_use=first,
        calls_last_hour=calls,
        stopped=stopped,
    ),
    st.integers(1_767_225_600, 1_798_761_600).map(lambda at: datetime.fromtimestamp(at, UTC)),
    st.booleans(),
    st.booleans(),
    st.integers(0, 8),
    st.sampled_from([None] * 9 + ["Till is switched off."]),
)


def published(rule_list: list[dict[str, Any]]) -> PublishedPolicy:
    policy = load(default_policy().document() | {"rules": rule_list, "delegates": ["finance"]})
    return PublishedPolicy(3, policy.digest(), policy)


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """A whole document: thresholds, baseline, rules, delegates."""
    return default_policy().document() | {
        "thresholds": draw(thresholds),
        "baseline": draw(st.lists(lines, max_size=4)),
        "rules": draw(rule_lists),
        "delegates": draw(delegations),
    }


def of_document(document: dict[str, Any]) -> PublishedPolicy:
    policy = load(document)
    return PublishedPolicy(3, policy.digest(), policy)


def through_json(shape: Any) -> Any:
    """As it comes back from where it is stored."""
    stored = json.dumps(shape.model_dump(mode="json"), allow_nan=False)
    return type(shape).model_validate(json.loads(stored))


@settings(max_examples=rounds(200))
@given(rule_lists, rules(), actions, confidences, contexts)
def test_another_rule_never_turns_review_into_allow_unless_it_allows(
    before: list[dict[str, Any]],
    added: dict[str, Any],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    if added["name"] in {rule["name"] for rule in before}:
        return
    was = judge(action, confidence, where, published(before))
    now = judge(action, confidence, where, published([*before, added]))
    if not was.allowed and now.allowed:
        assert added["effect"] == "allow"
        assert now.rule == added["name"]
    if was.denied:
        assert now.denied


@settings(max_examples=rounds(150))
@given(rule_lists, actions, confidences, contexts, st.sampled_from(UNANSWERED))
def test_a_condition_without_an_answer_never_allows(
    others: list[dict[str, Any]],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
    condition: str,
) -> None:
    allow = {"name": "loose", "effect": "allow", "threshold": 0, "accepts_taint": True}
    loose = judge(
        action, confidence, where, published([*others, allow | {"when": {"condition": condition}}])
    )
    assert not loose.allowed
    deny = {"name": "strict", "effect": "deny", "when": {"condition": condition}}
    assert judge(action, confidence, where, published([*others, deny])).denied


@settings(max_examples=rounds(100))
@given(rule_lists, actions, confidences, contexts)
def test_a_deny_always_denies(
    others: list[dict[str, Any]],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    deny = {"name": "no", "effect": "deny", "when": {}}
    assert judge(action, confidence, where, published([deny, *others])).denied


@settings(max_examples=rounds(150))
@given(rule_lists, st.randoms(use_true_random=False), actions, confidences, contexts)
def test_the_verdict_does_not_depend_on_the_order_of_rules(
    rule_list: list[dict[str, Any]],
    random: Any,
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    first = judge(action, confidence, where, published(rule_list))
    shuffled = list(rule_list)
    random.shuffle(shuffled)
    second = judge(action, confidence, where, published(shuffled))
    assert first.model_copy(update={"policy_sha256": ""}) == second.model_copy(
        update={"policy_sha256": ""}
    )


@settings(max_examples=rounds(100))
@given(rule_lists, actions, confidences, contexts)
def test_every_verdict_gives_a_reason_and_every_review_names_people(
    rule_list: list[dict[str, Any]],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    verdict = judge(action, confidence, where, published(rule_list))
    assert verdict.reasons
    assert (verdict.requirements is not None) == (verdict.outcome == GateOutcome.REVIEW)
    assert "gate_error" not in {reason.code for reason in verdict.reasons}


@settings(max_examples=rounds(100))
@given(rule_lists, actions, confidences, contexts)
def test_a_snapshot_of_the_policy_judges_the_same(
    rule_list: list[dict[str, Any]],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    policy = published(rule_list)
    again = load(policy.policy.document())
    assert again.digest() == policy.sha256
    snapshot = PublishedPolicy(3, again.digest(), again)
    assert judge(action, confidence, where, snapshot) == judge(action, confidence, where, policy)


@settings(max_examples=rounds(250))
@given(policies(), rules(), actions, confidences, contexts)
def test_whatever_the_policy_another_rule_loosens_only_by_allowing(
    document: dict[str, Any],
    added: dict[str, Any],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    if added["name"] in {rule["name"] for rule in document["rules"]}:
        return
    was = judge(action, confidence, where, of_document(document))
    after = document | {"rules": [*document["rules"], added]}
    now = judge(action, confidence, where, of_document(after))
    if now.allowed and not was.allowed:
        assert (added["effect"], now.rule) == ("allow", added["name"])
    if was.denied:
        assert now.denied
    if now.denied and not was.denied:
        assert added["effect"] == "deny"


@settings(max_examples=rounds(150))
@given(policies(), actions, confidences, contexts, st.sampled_from(UNANSWERED), scopes)
def test_whatever_the_policy_a_condition_without_an_answer_allows_nothing(
    document: dict[str, Any],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
    condition: str,
    scope: str,
) -> None:
    """In a rule of any effect whose scope counts, whatever else allows."""
    rule = {"name": "unanswered", "scope": scope, "when": {"condition": condition}}
    counts = scope == "global" or scope == "group:support"
    for effect in ("allow", "review", "deny"):
        with_it = document | {"rules": [*document["rules"], rule | {"effect": effect}]}
        verdict = judge(action, confidence, where, of_document(with_it))
        delegated = effect != "allow" or scope == "global" or "support" in document["delegates"]
        if counts and delegated:
            assert not verdict.allowed
            assert effect != "deny" or verdict.denied


@settings(max_examples=rounds(150))
@given(policies(), st.randoms(use_true_random=False), actions, confidences, contexts)
def test_whatever_the_policy_the_order_of_rules_does_not_matter(
    document: dict[str, Any],
    random: Any,
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    shuffled = list(document["rules"])
    random.shuffle(shuffled)
    first = judge(action, confidence, where, of_document(document))
    second = judge(action, confidence, where, of_document(document | {"rules": shuffled}))
    same = {"policy_sha256": ""}
    assert first.model_copy(update=same) == second.model_copy(update=same)


@settings(max_examples=rounds(200))
@given(policies(), actions, confidences, contexts)
def test_what_was_stored_is_judged_the_same_again(
    document: dict[str, Any],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    policy = of_document(document)
    verdict = judge(action, confidence, where, policy)
    again = load(json.loads(json.dumps(policy.policy.document(), allow_nan=False)))
    assert again.digest() == policy.sha256
    stored = PublishedPolicy(policy.version, policy.sha256, again)
    repeated = judge(
        through_json(action),
        through_json(confidence) if confidence is not None else None,
        through_json(where),
        stored,
    )
    assert repeated == verdict == through_json(verdict)
    assert "gate_error" not in {reason.code for reason in verdict.reasons}

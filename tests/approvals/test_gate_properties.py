"""What holds for the gate whatever the policy and the action."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.gate import judge
from approvals.policies import PublishedPolicy, default_policy, load
from approvals.schemas import Confidence, GateContext, ProposedAction
from approvals.vocabulary import Effect, GateOutcome, Risk
from tests.approvals.till import context, refund

ANSWERED = ["args.amount <= 50", "args.amount > 50", "args.order == '1'", "true", "false"]
UNANSWERED = ["args.missing > 1", "args.order > 5", "1 / 0 == 1"]

conditions = st.sampled_from([None, *ANSWERED, *UNANSWERED])
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
        rule["requirements"] = {"groups": [{"group": group, "count": draw(st.integers(1, 3))}]}
    return rule


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
confidences = st.one_of(
    st.none(), st.builds(Confidence, raw_bp=st.one_of(st.none(), st.integers(0, 10_000)))
)
contexts = st.builds(
    lambda tainted, first, calls: context(tainted=tainted, first_use=first, calls_last_hour=calls),
    st.booleans(),
    st.booleans(),
    st.integers(0, 8),
)


def published(rule_list: list[dict[str, Any]]) -> PublishedPolicy:
    policy = load(default_policy().document() | {"rules": rule_list, "delegates": ["finance"]})
    return PublishedPolicy(3, policy.digest(), policy)


@settings(max_examples=400)
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


@settings(max_examples=300)
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


@settings(max_examples=200)
@given(rule_lists, actions, confidences, contexts)
def test_a_deny_always_denies(
    others: list[dict[str, Any]],
    action: ProposedAction,
    confidence: Confidence | None,
    where: GateContext,
) -> None:
    deny = {"name": "no", "effect": "deny", "when": {}}
    assert judge(action, confidence, where, published([deny, *others])).denied


@settings(max_examples=300)
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


@settings(max_examples=200)
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


@settings(max_examples=200)
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

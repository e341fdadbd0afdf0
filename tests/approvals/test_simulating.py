"""A simulation says what the gate would have said of each action, also where it does not ask it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals.gate import judge
from approvals.policies import Policy, PublishedPolicy
from approvals.schemas import Confidence, GateContext, ProposedAction
from approvals.simulating import Comparison, PastAction, Times
from approvals.vocabulary import Risk
from benchmarks import made_up

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
MANY = 400


def as_published(policy: Policy) -> PublishedPolicy:
    return PublishedPolicy(1, policy.digest(), policy)


def past() -> list[PastAction]:
    labels = ("fine", "refused", "sent_back", None)
    return [
        PastAction(
            at=AT,
            action=ProposedAction.model_validate(call["action"]),
            confidence=Confidence.model_validate(call["confidence"]),
            context=GateContext.model_validate(call["context"]),
            label=labels[number % len(labels)],
        )
        for number, call in enumerate(made_up.calls(MANY))
    ]


def outcomes(actions: Iterable[PastAction], policy: Policy) -> list[str]:
    published = as_published(policy)
    return [
        judge(each.action, each.confidence, each.context, published).outcome.value
        for each in actions
    ]


def deny_large(policy: Policy) -> Policy:
    rule = {"name": "large", "effect": "deny", "when": {"condition": "args.amount > 400"}}
    document = policy.document()
    return Policy.model_validate(document | {"rules": [*document["rules"], rule]})


@pytest.mark.parametrize("line", ["risk", "tool", "rule"])
def test_counts_and_curve_are_those_of_the_gate_asked_anew(line: str) -> None:
    actions = past()
    now, then = made_up.policy(40), deny_large(made_up.policy(60))
    names: dict[str, Any] = {
        "risk": {"risk": Risk.LOW},
        "tool": {"tool": "restock"},
        "rule": {"rule": allowing(then)},
    }[line]
    extremes = [then.with_threshold(share, **names) for share in ("0", "1")]
    lowest, highest = (as_published(policy) for policy in extremes)
    comparison = Comparison(as_published(now), as_published(then), Times(), (lowest, highest))
    for each in actions:
        comparison.add(each)
    result = comparison.result(days=1)

    was, would = outcomes(actions, now), outcomes(actions, then)
    assert result["reviews_now"] == was.count("review")
    assert result["reviews_then"] == would.count("review")
    assert result["denied_then"] == would.count("deny") > 0
    pairs = list(zip(was, would, strict=True))
    assert result["newly_unseen"] == sum(b == "allow" != a for a, b in pairs)
    assert result["newly_paused"] == pairs.count(("allow", "review"))
    for point in result["curve"][::10]:
        at = outcomes(actions, then.with_threshold(point["threshold_bp"] / 10_000, **names))
        refused = [
            outcome
            for outcome, each in zip(at, actions, strict=True)
            if each.label in ("refused", "sent_back")
        ]
        assert point["reviews"] == at.count("review")
        assert point["refused_unseen"] == refused.count("allow")
    reviews = {point["reviews"] for point in result["curve"]}
    assert len(reviews) > 1


def allowing(policy: Policy) -> str:
    """The rule whose own threshold decides on the most of these actions."""
    published = as_published(policy)
    rules = [
        judge(each.action, each.confidence, each.context, published).rule
        for each in past()
        if judge(each.action, each.confidence, each.context, published).allowed
    ]
    return max((name for name in rules if name), key=rules.count)

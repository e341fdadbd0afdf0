"""What the policy of now makes of the same proposal, and what an edit does."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db.models import F

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.sweep import sweep_once
from approvals.models import ApprovalRequest, StickyApproval
from approvals.policies import Policy, load
from approvals.services.policies import current
from approvals.services.publish import publish
from approvals.services.sticky import revoke_sticky
from approvals.vocabulary import Verdict
from audit.clock import database_now
from tests.agents.bank import Bank
from tests.agents.conftest import TEST, Counter
from tests.agents.test_effects import Killed, die
from tests.model_server import call, calls, final, judged

SMALL = {
    "name": "small-payments",
    "title": "Small payments",
    "when": {"agents": ["teller"], "tools": ["pay"], "condition": "args.amount <= 50.0"},
    "effect": "allow",
    "threshold": "0.80",
    "accepts_taint": True,
}


def rules_published(*rules: dict[str, object]) -> Policy:
    """Publish the policy of now with these rules besides."""
    published = current()
    document = published.policy.document()
    document["rules"] = [*document["rules"], *rules]
    policy = load(document)
    publish(document=policy, base_version=published.version, caller=TEST, why="For a test.")
    return policy


def read_at(counter: Counter, confidence: float) -> Run:
    return counter.start(
        [calls(call("read_balance", judged({"account": "A1"}, confidence))), final(summary="ok")]
    )


@pytest.mark.parametrize(("shift", "state"), [("-0.01", "succeeded"), ("0.01", "waiting")])
def test_only_the_threshold_decides_whether_the_same_proposal_waits(
    counter: Counter, shift: str, state: str
) -> None:
    published = current()
    policy = published.policy.with_threshold(Decimal("0.70") + Decimal(shift), tool="read_balance")
    publish(document=policy, base_version=published.version, caller=TEST, why="For a test.")
    assert read_at(counter, 0.70).state == state


def test_an_allow_rule_lets_a_clear_small_payment_through_and_nothing_else(
    counter: Counter, bank: Bank
) -> None:
    rules_published(SMALL)
    for amount, confidence, state in (
        ("50.00", 0.80, "succeeded"),
        ("50.01", 0.99, "waiting"),
        ("50.00", 0.79, "waiting"),
    ):
        paid = judged({"account": "A1", "amount": amount}, confidence)
        assert counter.start([calls(call("pay", paid)), final(summary="ok")]).state == state
    assert [amount for _, _, amount in bank.sent] == ["50.00"]


@pytest.mark.parametrize(
    ("effect", "state", "calls_end"),
    [("deny", "succeeded", "refused"), ("review", "waiting", "waiting")],
)
def test_calls_of_one_reply_count_for_each_other_s_rate(
    counter: Counter, bank: Bank, effect: str, state: str, calls_end: str
) -> None:
    rules_published(
        SMALL, {"name": "flood", "when": {"tools": ["pay"], "rate_above": 1}, "effect": effect}
    )
    # All of them are judged before the first of them is sent.
    paid = [judged({"account": f"A{place}", "amount": "5.00"}) for place in range(4)]
    run = counter.start([calls(*(call("pay", each) for each in paid)), final(summary="ok")])
    assert run.state == state
    assert [account for _, account, _ in bank.sent] == ["A0", "A1"]
    steps = list(run.steps.filter(name="pay").in_order())
    assert [step.state for step in steps] == ["succeeded", "succeeded", calls_end, calls_end]
    assert [step.judgement["context"]["calls_last_hour"] for step in steps] == [0, 0, 2, 2]


def test_a_denied_call_never_waits_and_the_agent_reads_why(counter: Counter, bank: Bank) -> None:
    rules_published(
        {
            "name": "no-wires",
            "title": "No wires",
            "when": {"tools": ["wire"]},
            "effect": "deny",
        }
    )
    run = counter.start(
        [calls(call("wire", judged({"account": "A1", "amount": "1.00"}))), final(summary="ok")]
    )
    assert (run.state, bank.sent) == ("succeeded", [])
    assert "denied" in counter.model.requests[1]["messages"][-1]["content"]


def test_an_edited_amount_needs_a_second_person_and_runs_as_edited(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    run = counter.start(
        [calls(call("pay", judged({"account": "A1", "amount": "42.00"}))), final(summary="ok")]
    )
    edited = {"account": "A1", "amount": "80.00"}
    why = {"reason_code": "wrong_amount", "reason": "With the fee."}
    counter.decide(counter.request(run), Verdict.EDIT, reviewer, arguments=edited, **why)
    request = counter.request(run)
    assert (request.revision, request.arguments["amount"]) == (2, "80.00")
    assert counter.go_on(run).state == "waiting"
    counter.decide(request, Verdict.APPROVE, second_reviewer)
    assert counter.go_on(run).state == "succeeded"
    assert [amount for _, _, amount in bank.sent] == ["80.00"]
    told = counter.model.requests[-1]["messages"][-1]["content"]
    assert "edited_by_a_person" in told
    assert "Wrong amount: With the fee." in told
    assert "80.00" in told


def test_a_policy_that_became_tighter_sends_an_approved_call_back_to_review(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    run = counter.start(
        [calls(call("pay", judged({"account": "A1", "amount": "42.00"}))), final(summary="ok")]
    )
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    rules_published(
        {
            "name": "two-people",
            "title": "Two people",
            "when": {"tools": ["pay"]},
            "effect": "review",
            "requirements": {"groups": [{"group": "finance", "count": 2}]},
        }
    )
    run = counter.go_on(run)
    assert (run.state, bank.sent) == ("waiting", [])
    assert ApprovalRequest.objects.get(run_id=run.pk).state == "pending"


def test_a_drawn_sample_of_what_would_run_unseen_waits_for_a_person(
    counter: Counter, bank: Bank, settings: object
) -> None:
    rules_published(SMALL)
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(  # type: ignore[attr-defined]
        update={"audit_rate": 1.0}
    )
    paid = judged({"account": "A1", "amount": "5.00"})
    run = counter.start([calls(call("pay", paid)), final(summary="ok")])
    request = counter.request(run)
    assert (run.state, request.is_sample, request.score_visible) == ("waiting", True, False)
    assert bank.sent == []


def test_a_call_that_nobody_could_approve_is_refused_and_the_run_goes_on(
    counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    rules_published(
        {
            "name": "two-people",
            "when": {"tools": ["pay"]},
            "effect": "review",
            "requirements": {"groups": [{"group": "finance", "count": 2}]},
        }
    )
    User.objects.exclude(pk__in=[reviewer.pk, counter.operator.pk]).update(is_active=False)
    run = counter.go_on(
        counter.start(
            [calls(call("pay", judged({"account": "A1", "amount": "42.00"}))), final(summary="no")]
        )
    )
    step = run.steps.get(name="pay")
    assert (run.state, step.state, step.problem) == ("succeeded", "refused", "nobody_could_decide")
    assert "lacks 1 more of Finance" in step.output["message"]
    assert not ApprovalRequest.objects.filter(run_id=run.pk).exists()
    assert bank.sent == []


def test_a_sticky_approval_that_is_revoked_holds_what_it_allowed_and_did_not_start(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    paid = judged({"account": "A1", "amount": "42.00"})
    first = counter.start([calls(call("pay", paid)), final(summary="ok")])
    counter.decide(counter.request(first), Verdict.APPROVE, reviewer)
    counter.go_on(first)
    reviewer.groups.add(Group.objects.get(name="sticky-approver"))
    sticky = StickyApproval.objects.create(
        request=ApprovalRequest.objects.get(run_id=first.pk),
        agent="teller",
        tool="pay",
        constraints={
            "account": {"how": "same", "value": "A1"},
            "amount": {"how": "at_most", "value": "42.00"},
        },
        why="Every week.",
        granted_by=reviewer,
        expires_at=database_now() + timedelta(hours=1),
    )

    bank.sent.clear()
    bank.trouble = die
    with pytest.raises(Killed):
        counter.start([calls(call("pay", paid), call("pay", paid)), final(summary="ok")])
    bank.trouble = None
    run = Run.objects.latest("created_at")
    first_call, second_call = run.steps.filter(name="pay").in_order()
    assert second_call.judgement["verdict"]["rule"] == f"sticky-{sticky.pk}"
    assert (first_call.state, second_call.state) == ("dispatched", "proposed")

    # What was sent is settled; what was not started is judged again.
    revoke_sticky(sticky_id=sticky.pk, caller=Caller.of_session(reviewer))
    Run.objects.filter(pk=run.pk).update(lease_expires_at=F("created_at") - timedelta(seconds=1))
    assert sweep_once()["leases_expired"] == 1
    run = counter.go_on(run)
    assert run.state == "waiting"
    assert counter.request(run).step_seq == second_call.seq
    assert len({key for key, _, _ in bank.sent}) == 1

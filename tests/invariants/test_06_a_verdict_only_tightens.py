"""Line 6: the verdict is stored when the run parks; later it gets tighter or stays, and a no stays no."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from accounts.models import ReviewGroup, User
from agents.models import EffectRecord, Run, Step
from approvals.models import ApprovalRequest
from approvals.schemas import GateContext, GateVerdict
from approvals.services.policies import current
from approvals.services.sweep import sweep
from approvals.services.tighten import tighten
from approvals.vocabulary import Friction
from audit.clock import database_now
from tests.agents.bank import Bank
from tests.agents.conftest import Counter
from tests.agents.test_effects import PAY
from tests.approvals.conftest import Opener
from tests.invariants.conftest import Enter
from tests.invariants.ruling import DENIED, NOBODY_NEEDED, asking, in_force
from tests.invariants.test_01_nothing_runs_without_approval import (
    expired,
    parked,
    pushed,
    rejected,
    sent_back,
    stopped,
    superseded,
)
from tests.model_server import call, calls, final, judged

LOOSER: dict[str, list[dict[str, Any]]] = {
    "everything allowed": [NOBODY_NEEDED],
    "fewer people": [asking("finance", name="one-is-enough", undo_seconds=0)],
}


def test_what_the_gate_said_and_was_told_stands_with_the_request_and_the_call(
    counter: Counter,
) -> None:
    in_force(asking("finance", friction="reading", friction_seconds=1))
    run, request = parked(counter)
    step = Step.objects.get(run=run, name="pay")
    assert step.judgement is not None
    verdict = GateVerdict.model_validate(step.judgement["verdict"])
    assert verdict.requirements is not None
    assert (request.policy_version, request.policy_sha256) == (
        current().version,
        current().sha256,
    )
    assert request.rule == verdict.rule == "asking"
    assert request.context == GateContext.model_validate(step.judgement["context"])
    assert request.needs.friction == verdict.requirements.friction == Friction.READING
    assert request.shown_document["policy"] == {
        "version": current().version,
        "sha256": current().sha256,
        "rule": "asking",
    }


@pytest.mark.parametrize("looser", LOOSER)
@pytest.mark.parametrize("no", [rejected, stopped, sent_back, expired, superseded])
def test_no_policy_turns_a_no_into_a_run(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User, looser: str, no: Any
) -> None:
    in_force(DENIED | {"when": {"tools": ["none"]}})
    run, request = parked(counter)
    no(run, request, enter(reviewer))
    before = ApprovalRequest.objects.get(pk=request.pk).state
    in_force(*LOOSER[looser])
    pushed(counter, run)
    sweep()
    assert bank.sent == []
    assert ApprovalRequest.objects.get(pk=request.pk).state == before


@pytest.mark.parametrize("looser", LOOSER)
def test_a_looser_policy_does_not_answer_for_the_people_who_were_asked(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User, support: ReviewGroup, looser: str
) -> None:
    in_force(asking("finance", "support"))
    run, request = parked(counter)
    in_force(*LOOSER[looser])
    assert pushed(counter, run).state == "waiting"
    assert enter(reviewer).through(request).taken
    pushed(counter, run)
    assert bank.sent == []
    request.refresh_from_db()
    assert (request.state, request.policy_version) == ("pending", current().version - 1)


@pytest.mark.parametrize(
    ("tighter", "becomes"),
    [
        ([DENIED], "lapsed"),
        ([asking("finance", "support", undo_seconds=0)], "pending"),
        ([asking("finance", friction="second_factor", undo_seconds=0)], "pending"),
    ],
    ids=["denied", "more people", "more friction"],
)
def test_an_approval_under_a_tighter_policy_is_not_used(
    counter: Counter,
    bank: Bank,
    enter: Enter,
    reviewer: User,
    support: ReviewGroup,
    tighter: list[dict[str, Any]],
    becomes: str,
) -> None:
    run, request = parked(counter)
    assert enter(reviewer).through(request).taken
    in_force(*tighter)
    pushed(counter, run)
    request.refresh_from_db()
    assert (request.state, bank.sent) == (becomes, [])
    if becomes == "pending":
        assert (request.revision, request.votes.filter(counts=True).count()) == (2, 0)


def test_an_approval_under_a_looser_policy_is_used_as_it_was_given(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User
) -> None:
    run, request = parked(counter)
    assert enter(reviewer).through(request).taken
    in_force(NOBODY_NEEDED)
    pushed(counter, run)
    assert len(bank.sent) == 1
    assert EffectRecord.objects.get().approval_id == request.pk


def test_rates_and_first_uses_are_those_of_then(
    counter: Counter, bank: Bank, enter: Enter, reviewer: User
) -> None:
    first = asking("finance", name="first", undo_seconds=0) | {"when": {"first_use": True}}
    busy = DENIED | {"name": "busy", "when": {"rate_above": 0}}
    in_force(first)
    run, request = parked(counter)
    assert request.context is not None
    assert (request.context.first_use, request.context.calls_last_hour) == (True, 0)
    _, other = parked(counter)
    for each in (other, request):
        assert enter(reviewer).through(each).taken
    pushed(counter, Run.objects.get(pk=other.run_id))
    assert len(bank.sent) == 1
    # By now it is neither the first use nor the only call of the hour, and neither denies this one.
    in_force(first, busy)
    pushed(counter, run)
    assert len(bank.sent) == 2


def test_an_allowed_call_that_waits_is_judged_anew_and_only_against_it(
    counter: Counter, bank: Bank
) -> None:
    """A review verdict that was stored is asked about, though the policy of now would allow."""
    run = counter.start([calls(call("pay", judged({"account": "A1", "amount": "5.00"})))])
    step = Step.objects.get(run=run, name="pay")
    assert step.judgement is not None
    assert step.judgement["verdict"]["outcome"] == "review"
    in_force(NOBODY_NEEDED)
    counter.model.follow([final(summary="ok")])
    assert pushed(counter, run).state == "waiting"
    assert bank.sent == []


def test_a_denied_call_stays_denied_under_a_policy_that_allows_it(
    counter: Counter, bank: Bank
) -> None:
    in_force(DENIED)
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    in_force(NOBODY_NEEDED)
    pushed(counter, run)
    assert bank.sent == []
    assert Step.objects.get(run=run, name="pay").state == "refused"


def test_an_edit_asks_for_no_weaker_confirmation_than_was_asked_before(
    counter: Counter, enter: Enter, reviewer: User
) -> None:
    in_force(asking("finance", friction="typed"))
    _, request = parked(counter)
    in_force(NOBODY_NEEDED)
    edited = {"account": "A1", "amount": "41.00"}
    door = enter(reviewer)
    answer = door.through(request, "edit", arguments=edited, typed=request.what.subject)
    assert answer.taken, answer.text
    request.refresh_from_db()
    assert (request.state, request.needs.friction) == ("pending", Friction.TYPED)


def test_time_that_passes_loosens_nothing(counter: Counter, bank: Bank) -> None:
    run, request = parked(counter)
    past = database_now() - timedelta(seconds=1)
    with transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=past)
    in_force(NOBODY_NEEDED)
    sweep()
    pushed(counter, run)
    assert (ApprovalRequest.objects.get(pk=request.pk).state, bank.sent) == ("expired", [])


@pytest.mark.parametrize("field", ["note", "amount"])
def test_a_looser_policy_does_not_come_in_through_an_edit(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User, field: str
) -> None:
    in_force(asking("finance", "support"))
    request = opened()
    in_force(asking("finance", name="one-is-enough"))
    first, second = enter(reviewer), enter(second_reviewer)
    for text in ("15.00", "16.00"):
        changed = {**request.arguments, field: text}
        assert first.through(request, "edit", arguments=changed).taken
        request.refresh_from_db()
        assert request.state == "pending"
        assert {need.group for need in request.needs.groups} == {"finance", "support"}
    assert second.through(request).taken
    request.refresh_from_db()
    # Of a cosmetic edit its editor is the other of the two.
    assert request.state == ("approved" if field == "note" else "pending")


def test_a_verdict_is_taken_however_many_policies_come_meanwhile(
    opened: Opener, enter: Enter, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened()
    in_force(asking("support", name="first"))
    left = [asking("support", name="second"), asking("support", name="third")]

    def and_another(*, request_id: UUID) -> bool:
        done = tighten(request_id=request_id)
        if left:
            in_force(left.pop())
        return done

    monkeypatch.setattr("approvals.services.decide.tighten", and_another)
    answer = enter(reviewer).through(request)
    assert answer.taken or answer.status == 409, answer.text
    assert left == []

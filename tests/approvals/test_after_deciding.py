"""What follows a decision: taking back, using it, and what the clock does."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts.errors import PermissionMissing
from accounts.models import ReviewGroup, User
from approvals.errors import (
    AlreadyDecided,
    ClaimHeld,
    EmptyComment,
    ExtensionLimit,
    NoDeadline,
    NotConsumable,
    NothingToUndo,
    NotOpen,
    RequestUnknown,
)
from approvals.models import ApprovalRequest, Vote
from approvals.ports import Operation
from approvals.schemas import GroupNeed, Preview, Requirements
from approvals.services import expire, policies
from approvals.services.cancel import cancel_requests
from approvals.services.claim import claim, release
from approvals.services.comment import comment
from approvals.services.consume import Consumed, consume
from approvals.services.decide import decide
from approvals.services.extend import extend
from approvals.services.publish import publish
from approvals.services.reopen import reopen_changed
from approvals.services.sweep import sweep
from approvals.services.undo import undo
from approvals.vocabulary import Expiry, Kind
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import NoTransaction
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, events_of, verdict_on

AGENT = Actor.agent("till")


def approve(request: ApprovalRequest, user: User) -> ApprovalRequest:
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(user))
    request.refresh_from_db()
    return request


def spend(request: ApprovalRequest, **changes: Any) -> Consumed:
    values = {"request_id": request.pk, "revision": request.revision, "digest": request.digest}
    with transaction.atomic():
        return consume(**(values | changes), actor=AGENT)


def set_back(request: ApprovalRequest, **moments: timedelta) -> None:
    """Move moments of the request into the past."""
    ApprovalRequest.objects.filter(pk=request.pk).update(
        **{name: database_now() - span for name, span in moments.items()}
    )
    request.refresh_from_db()


def test_undo_makes_the_request_wait_again(
    opened: Opener, reviewer: User, second_reviewer: User, told: list[Any]
) -> None:
    request = approve(opened(), reviewer)
    undone = undo(request_id=request.pk, caller=by(reviewer))
    assert (undone.state, undone.revision) == ("pending", 1)
    request.refresh_from_db()
    assert request.ready_at is None
    assert request.decided_by is None
    assert not Vote.objects.filter(counts=True).exists()
    assert [r.kind for r in told] == ["approved", "undone"]
    assert approve(request, second_reviewer).state == "approved"
    assert events_of(request)[-2:] == ["request.undone", "request.decided"]


def test_another_reviewer_may_undo_and_an_outsider_may_not(
    opened: Opener, reviewer: User, second_reviewer: User, outsider: User, auditor: User
) -> None:
    request = approve(opened(), reviewer)
    with pytest.raises(RequestUnknown):
        undo(request_id=request.pk, caller=by(outsider))
    with pytest.raises(PermissionMissing):
        undo(request_id=request.pk, caller=by(auditor))
    assert undo(request_id=request.pk, caller=by(second_reviewer)).state == "pending"


def test_undo_after_dispatch_says_where_the_operation_stands(
    opened: Opener, till: Till, reviewer: User
) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=0)), reviewer)
    assert spend(request).ok
    till.under_way[request.pk] = Operation("dispatched", "Executing: the call was sent.")
    with pytest.raises(NothingToUndo) as refused:
        undo(request_id=request.pk, caller=by(reviewer))
    assert "Executing: the call was sent." in refused.value.detail


def test_only_approvals_are_taken_back(opened: Opener, reviewer: User) -> None:
    request = opened()
    with pytest.raises(NothingToUndo):
        undo(request_id=request.pk, caller=by(reviewer))
    decide(
        request_id=request.pk,
        decision=verdict_on(request, "reject", reason="no"),
        caller=by(reviewer),
    )
    with pytest.raises(NothingToUndo):
        undo(request_id=request.pk, caller=by(reviewer))


def test_approval_is_spent_once(opened: Opener, reviewer: User) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=0)), reviewer)
    assert spend(request).ok
    with pytest.raises(NotConsumable):
        spend(request)
    request.refresh_from_db()
    assert request.state == "consumed"


def test_approval_covers_exactly_its_revision_and_digest(opened: Opener, reviewer: User) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=0)), reviewer)
    for changes in ({"digest": "sha256:" + "0" * 64}, {"revision": 2}):
        with pytest.raises(NotConsumable, match="another call"):
            spend(request, **changes)
    with pytest.raises(RequestUnknown):
        spend(request, request_id=uuid.uuid4())
    request.refresh_from_db()
    assert request.state == "approved"


def test_nothing_is_spent_before_the_undo_time_is_over(opened: Opener, reviewer: User) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=60)), reviewer)
    with pytest.raises(NotConsumable):
        spend(request)
    set_back(request, ready_at=timedelta(seconds=1))
    assert spend(request).ok


def test_pending_rejected_and_undone_are_not_spent(opened: Opener, reviewer: User) -> None:
    request = opened(needs=Requirements(undo_seconds=0))
    with pytest.raises(NotConsumable):
        spend(request)
    approve(request, reviewer)
    undo(request_id=request.pk, caller=by(reviewer))
    with pytest.raises(NotConsumable):
        spend(request)


def test_kill_switch_stops_an_approval_without_ending_it(
    opened: Opener, till: Till, reviewer: User
) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=0)), reviewer)
    till.switched_off = "Till is switched off."
    with pytest.raises(NotConsumable, match="switched off"):
        spend(request)
    till.switched_off = None
    assert spend(request).ok


def test_late_approval_lapses(opened: Opener, reviewer: User) -> None:
    needs = Requirements(undo_seconds=0, execute_by_minutes=1)
    request = approve(opened(needs=needs), reviewer)
    set_back(request, execute_by=timedelta(seconds=1))
    outcome = spend(request)
    assert (outcome.outcome, outcome.request.state) == ("lapsed", "lapsed")
    assert events_of(request)[-1] == "approval.lapsed"


def tighten(rule: dict[str, Any]) -> None:
    current = policies.current()
    publish(
        document=current.policy.document() | {"rules": [rule]},
        base_version=current.version,
        caller=Actor.system("test"),
        why="Tighter.",
    )


def test_policy_that_denies_now_ends_the_approval(opened: Opener, reviewer: User) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=0)), reviewer)
    tighten({"name": "never", "effect": "deny", "when": {"tools": ["pay_back"]}})
    assert spend(request).outcome == "lapsed"


def test_policy_that_asks_for_more_people_reopens(
    opened: Opener, reviewer: User, second_reviewer: User, finance: ReviewGroup
) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=0)), reviewer)
    two = {"groups": [{"group": "support"}, {"group": "finance"}], "undo_seconds": 0}
    tighten({"name": "both", "effect": "review", "when": {}, "requirements": two})
    outcome = spend(request)
    assert outcome.outcome == "reopened"
    request.refresh_from_db()
    assert (request.state, request.revision, request.policy_version) == ("pending", 2, 2)
    assert {row.group.slug for row in request.request_groups.all()} == {"support", "finance"}
    assert not Vote.objects.filter(counts=True).exists()
    with pytest.raises(NotConsumable):
        spend(request)
    approve(request, reviewer)
    assert approve(request, second_reviewer).state == "approved"
    assert spend(request).ok


def test_looser_policy_changes_nothing(opened: Opener, reviewer: User) -> None:
    request = approve(opened(needs=Requirements(undo_seconds=0)), reviewer)
    tighten({"name": "free", "effect": "allow", "threshold": 0, "when": {}})
    assert spend(request).ok


def test_changed_world_sends_an_approval_back_to_people(
    opened: Opener, reviewer: User, told: list[Any]
) -> None:
    request = approve(opened(), reviewer)
    with transaction.atomic():
        reopened = reopen_changed(
            request_id=request.pk,
            revision=1,
            preview=Preview(title="Refund €20.00 to Acme GmbH (already refunded once)"),
            what="The order was refunded in part.",
            actor=AGENT,
        )
    assert (reopened.state, reopened.revision) == ("pending", 2)
    assert reopened.reasons[-1]["code"] == "world_changed"
    assert reopened.shown_document["title"].endswith("(already refunded once)")
    assert [r.kind for r in told] == ["approved"]
    with transaction.atomic(), pytest.raises(NotConsumable):
        reopen_changed(
            request_id=request.pk, revision=1, preview=Preview(title=""), what="", actor=AGENT
        )


@pytest.mark.django_db(transaction=True)
def test_spending_needs_the_callers_transaction() -> None:
    with pytest.raises(NoTransaction):
        consume(request_id=uuid.uuid4(), revision=1, digest="", actor=AGENT)


def test_expiry_counts_as_a_no_and_never_as_a_yes(opened: Opener, told: list[Any]) -> None:
    request = opened()
    set_back(request, review_deadline=timedelta(seconds=1))
    assert sweep()["expired"] == 1
    request.refresh_from_db()
    assert request.state == "expired"
    assert told[0].kind == "expired"
    assert events_of(request)[-1] == "request.expired"
    assert sweep()["expired"] == 0


def test_a_late_decision_changes_nothing_and_says_why(opened: Opener, reviewer: User) -> None:
    request = opened()
    set_back(request, review_deadline=timedelta(seconds=1))
    sweep()
    with pytest.raises(AlreadyDecided) as refused:
        approve(request, reviewer)
    assert refused.value.params["who"] == "the deadline"
    assert refused.value.params["what"] == "expired"


def test_nothing_expires_before_its_deadline(opened: Opener) -> None:
    request = opened()
    assert not expire.past_deadline(request.pk)
    assert sweep()["expired"] == 0


@pytest.mark.parametrize("kind", [Kind.IN_DOUBT, Kind.ATTENTION])
def test_what_must_be_answered_has_no_deadline(opened: Opener, kind: Kind) -> None:
    assert opened(kind=kind).review_deadline is None


def test_escalation_asks_the_chain_and_expires_only_at_its_end(
    opened: Opener, reviewer: User, finance: ReviewGroup
) -> None:
    needs = Requirements(on_expiry=Expiry.ESCALATE, escalation=("finance",), review_hours=2)
    request = opened(needs=needs)
    set_back(request, review_deadline=timedelta(seconds=1))
    sweep()
    request.refresh_from_db()
    assert request.state == "pending"
    assert request.review_deadline is not None
    assert request.review_deadline > database_now()
    reviewer.memberships.filter(group__slug="support").delete()
    assert ApprovalRequest.objects.decidable_by(by(reviewer).user).filter(pk=request.pk).exists()
    set_back(request, review_deadline=timedelta(seconds=1))
    sweep()
    request.refresh_from_db()
    assert request.state == "expired"


def test_a_member_of_the_escalation_group_stands_in(
    opened: Opener, reviewer: User, finance: ReviewGroup
) -> None:
    request = opened(needs=Requirements(on_expiry=Expiry.ESCALATE, escalation=("finance",)))
    reviewer.memberships.filter(group__slug="support").delete()
    with pytest.raises(RequestUnknown):
        approve(request, reviewer)
    set_back(request, review_deadline=timedelta(seconds=1))
    sweep()
    assert approve(request, reviewer).state == "approved"


def test_in_doubt_escalates_and_then_waits_for_ever(opened: Opener, finance: ReviewGroup) -> None:
    needs = Requirements(on_expiry=Expiry.ESCALATE, escalation=("finance",))
    request = opened(kind=Kind.IN_DOUBT, needs=needs)
    for _ in range(2):
        set_back(request, review_deadline=timedelta(seconds=1))
        sweep()
    request.refresh_from_db()
    assert (request.state, request.review_deadline) == ("pending", None)


def test_unused_approval_lapses_by_the_clock_and_the_run_is_told(
    opened: Opener, reviewer: User, told: list[Any]
) -> None:
    request = approve(opened(needs=Requirements(execute_by_minutes=1)), reviewer)
    set_back(request, execute_by=timedelta(seconds=1))
    assert sweep()["lapsed"] == 1
    request.refresh_from_db()
    assert request.state == "lapsed"
    assert [r.kind for r in told] == ["approved", "lapsed"]


def test_one_poisonous_request_does_not_stop_the_others(
    opened: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    requests = [opened() for _ in range(3)]
    for request in requests:
        set_back(request, review_deadline=timedelta(seconds=1))
    whole = expire.tell

    def fail_on_first(request: ApprovalRequest) -> None:
        if request.pk == requests[0].pk:
            raise RuntimeError("poison")
        whole(request)

    monkeypatch.setattr(expire, "tell", fail_on_first)
    with caplog.at_level(logging.CRITICAL, logger="approvals.services.sweep"):
        assert sweep()["expired"] == 2
    states = [ApprovalRequest.objects.get(pk=request.pk).state for request in requests]
    assert states == ["pending", "expired", "expired"]


def test_cancelling_a_run_closes_what_it_asks_for(opened: Opener, reviewer: User) -> None:
    run = uuid.uuid4()
    waiting = opened(run_id=run)
    approved = approve(opened(run_id=run), reviewer)
    rejected = opened(run_id=run)
    decide(
        request_id=rejected.pk,
        decision=verdict_on(rejected, "reject", reason="no"),
        caller=by(reviewer),
    )
    elsewhere = opened(run_id=uuid.uuid4())
    with transaction.atomic():
        assert cancel_requests(run_id=run, actor=AGENT, why="run_cancelled") == 2
    states = [
        ApprovalRequest.objects.get(pk=request.pk).state
        for request in (waiting, approved, rejected, elsewhere)
    ]
    assert states == ["cancelled", "lapsed", "rejected", "pending"]
    with pytest.raises(AlreadyDecided):
        approve(waiting, reviewer)


def test_claim_is_seen_taken_over_and_given_back(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    claim(request_id=request.pk, caller=by(reviewer))
    with pytest.raises(ClaimHeld) as refused:
        claim(request_id=request.pk, caller=by(second_reviewer))
    assert refused.value.params["who"] == reviewer.get_full_name()
    taken = claim(request_id=request.pk, caller=by(second_reviewer), take_over=True)
    assert taken.taken_from == reviewer.get_full_name()
    release(request_id=request.pk, caller=by(reviewer))
    request.refresh_from_db()
    assert request.claimed_by == second_reviewer
    release(request_id=request.pk, caller=by(second_reviewer))
    request.refresh_from_db()
    assert request.claimed_by is None
    assert events_of(request) == [
        "request.opened",
        "request.claimed",
        "request.claimed",
        "request.released",
    ]


def test_renewing_a_claim_writes_no_event_and_no_version(opened: Opener, reviewer: User) -> None:
    request = opened()
    first = claim(request_id=request.pk, caller=by(reviewer))
    again = claim(request_id=request.pk, caller=by(reviewer))
    assert again.version == first.version
    assert again.expires_at > first.expires_at
    assert len(events_of(request)) == 2


def test_claim_of_somebody_else_stops_no_decision(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    claim(request_id=request.pk, caller=by(reviewer))
    assert approve(request, second_reviewer).state == "approved"
    assert request.claimed_by is None
    with pytest.raises(NotOpen):
        claim(request_id=request.pk, caller=by(reviewer))


def test_claim_that_is_not_renewed_ends(opened: Opener, reviewer: User) -> None:
    request = opened()
    claim(request_id=request.pk, caller=by(reviewer))
    set_back(request, claim_expires_at=timedelta(seconds=1))
    assert sweep()["released"] == 1
    request.refresh_from_db()
    assert request.claimed_by is None


def test_deadline_moves_up_to_the_limit(opened: Opener, reviewer: User) -> None:
    request = opened(needs=Requirements(extend_limit_hours=5, calendar=""))
    before = request.review_deadline
    assert extend(request_id=request.pk, hours=3, caller=by(reviewer)) == before + timedelta(
        hours=3
    )
    with pytest.raises(ExtensionLimit) as refused:
        extend(request_id=request.pk, hours=3, caller=by(reviewer))
    assert refused.value.params["left_hours"] == 2
    with pytest.raises(NoDeadline):
        extend(request_id=opened(kind=Kind.ATTENTION).pk, hours=1, caller=by(reviewer))


def test_comments_are_for_reviewers_and_the_initiator(
    opened: Opener, reviewer: User, operator: User, outsider: User, auditor: User
) -> None:
    request = opened()
    assert comment(request_id=request.pk, body=" checked ", caller=by(reviewer)).body == "checked"
    comment(request_id=request.pk, body="thanks", caller=by(operator))
    with pytest.raises(EmptyComment):
        comment(request_id=request.pk, body="  ", caller=by(reviewer))
    with pytest.raises(RequestUnknown):
        comment(request_id=request.pk, body="hello", caller=by(outsider))
    with pytest.raises(PermissionMissing):
        comment(request_id=request.pk, body="hello", caller=by(auditor))
    request.refresh_from_db()
    assert (request.version, request.revision) == (3, 1)
    assert events_of(request).count("request.commented") == 2


def test_stand_in_does_not_replace_a_second_person(
    opened: Opener, reviewer: User, second_reviewer: User, finance: ReviewGroup
) -> None:
    two = (GroupNeed(group="support", count=2),)
    needs = Requirements(groups=two, on_expiry=Expiry.ESCALATE, escalation=("finance",))
    request = opened(needs=needs)
    set_back(request, review_deadline=timedelta(seconds=1))
    sweep()
    assert approve(request, reviewer).state == "pending"
    assert approve(request, second_reviewer).state == "approved"

"""Line 8: a claim is for others to see; it neither stops nor allows a decision."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings

from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.schemas import GroupNeed, Requirements
from approvals.services.claim import claim
from approvals.services.sweep import sweep
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import by, events_of
from tests.invariants.conftest import Enter
from tests.invariants.doors import VERDICTS


def lease_over(request: ApprovalRequest) -> None:
    ApprovalRequest.objects.filter(pk=request.pk).update(
        claim_expires_at=database_now() - timedelta(seconds=1)
    )


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_claim_of_somebody_else_stops_no_verdict(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User, verdict: str
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    claim(request_id=request.pk, caller=by(second_reviewer))
    answer = door.decide(request.pk, seen, verdict, **VERDICTS[verdict])
    assert answer.taken, answer.text
    request.refresh_from_db()
    assert (request.state, request.revision) != ("pending", 1)


def test_a_claim_of_somebody_else_stops_neither_undo_nor_extension_nor_comment(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=1),)))
    door = enter(reviewer)
    claim(request_id=request.pk, caller=by(second_reviewer))
    assert door.do(request.pk, "extend", hours=1).taken
    assert door.do(request.pk, "comment", body="seen").taken
    assert door.through(request).taken
    assert door.do(request.pk, "undo").taken


def test_a_claim_allows_nothing_that_was_not_allowed(
    opened: Opener, enter: Enter, cast: dict[str, User]
) -> None:
    request = opened(initiator=cast["reviewer"].pk)
    ApprovalRequest.objects.filter(pk=request.pk).update(
        claimed_by=cast["reviewer"], claim_expires_at=database_now() + timedelta(seconds=60)
    )
    enter(cast["reviewer"]).through(request).refused("own_request")
    request.refresh_from_db()
    assert request.state == "pending"


@pytest.mark.parametrize("who", ["auditor", "operator in the group", "admin", "superuser"])
def test_who_may_not_decide_claims_nothing(
    opened: Opener, enter: Enter, cast: dict[str, User], who: str
) -> None:
    request = opened()
    for act in ("claim", "take_over"):
        assert enter(cast[who]).do(request.pk, act).status == 403
    request.refresh_from_db()
    assert request.claimed_by is None


def test_a_claim_is_held_for_its_lease_and_taken_over_visibly(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    first, second = enter(reviewer), enter(second_reviewer)
    assert first.do(request.pk, "claim").taken
    held = second.do(request.pk, "claim")
    assert held.status == 409
    held.names(reviewer.get_full_name())
    assert second.do(request.pk, "take_over").taken
    request.refresh_from_db()
    assert request.claimed_by == second_reviewer
    assert events_of(request).count("request.claimed") == 2
    assert first.do(request.pk, "release").taken
    request.refresh_from_db()
    assert request.claimed_by == second_reviewer


def test_a_lease_lasts_ninety_seconds_unless_its_holder_renews_it(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    assert settings.COUNTERSIGN.claim_seconds == 90
    request = opened()
    first, second = enter(reviewer), enter(second_reviewer)
    started = database_now()
    assert first.do(request.pk, "claim").taken
    request.refresh_from_db()
    assert request.claim_expires_at is not None
    assert timedelta(0) <= request.claim_expires_at - started - timedelta(seconds=90)
    story, version, until = events_of(request), request.version, request.claim_expires_at
    assert first.do(request.pk, "claim").taken
    request.refresh_from_db()
    assert request.claim_expires_at > until
    # Nothing that others see has changed.
    assert (events_of(request), request.version) == (story, version)
    lease_over(request)
    assert second.do(request.pk, "claim").taken
    request.refresh_from_db()
    assert request.claimed_by == second_reviewer


def test_a_claim_that_is_not_renewed_ends_by_the_clock(opened: Opener, reviewer: User) -> None:
    request = opened()
    claim(request_id=request.pk, caller=by(reviewer))
    lease_over(request)
    sweep()
    request.refresh_from_db()
    assert request.claimed_by is None
    assert events_of(request)[-1] == "request.released"

"""An approval and each of its rivals, in both orders: whatever comes first stands."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from approvals.errors import AlreadyDecided
from approvals.models import ApprovalRequest
from approvals.services import expire
from approvals.services.cancel import cancel_requests
from approvals.services.decide import decide
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import by, verdict_on


def by_verdict(request: ApprovalRequest, user: User, verdict: str = "approve", **body: Any) -> Any:
    decision = verdict_on(request, verdict, **body)
    return decide(request_id=request.pk, decision=decision, caller=by(user))


RIVALS = {
    "reject": "rejected",
    "send_back": "superseded",
    "expiry": "expired",
    "cancellation": "cancelled",
}


def rival_move(rival: str, request: ApprovalRequest, user: User) -> Any:
    """The rival of an approval; what it raises when it comes too late stands for itself."""
    if rival == "expiry":
        ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=database_now())
        return expire.past_deadline(request.pk)
    if rival == "cancellation":
        assert request.run_id is not None
        with transaction.atomic():
            return cancel_requests(
                run_id=request.run_id, actor=Actor.system("test"), why="run_cancelled"
            )
    return by_verdict(request, user, rival, reason="no")


@pytest.mark.parametrize("rival", RIVALS)
def test_an_approval_that_comes_second_changes_nothing(
    opened: Opener, reviewer: User, second_reviewer: User, rival: str, told: list[Any]
) -> None:
    request = opened(run_id=uuid.uuid4())
    rival_move(rival, request, second_reviewer)
    with pytest.raises(AlreadyDecided):
        by_verdict(request, reviewer)
    request.refresh_from_db()
    assert request.state == RIVALS[rival]
    assert not any(resolution.kind == "approved" for resolution in told)


@pytest.mark.parametrize("rival", RIVALS)
def test_what_comes_after_an_approval_finds_it_given(
    opened: Opener, reviewer: User, second_reviewer: User, rival: str
) -> None:
    request = opened(run_id=uuid.uuid4())
    by_verdict(request, reviewer)
    if rival in ("reject", "send_back"):
        with pytest.raises(AlreadyDecided):
            rival_move(rival, request, second_reviewer)
    else:
        rival_move(rival, request, second_reviewer)
    request.refresh_from_db()
    # A run that was cancelled leaves nothing to use the approval for.
    assert request.state == ("lapsed" if rival == "cancellation" else "approved")

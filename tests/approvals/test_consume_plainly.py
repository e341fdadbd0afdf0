"""The short way to spend an approval: only where nothing at all has changed, and nothing is changed otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import F

from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.schemas import Requirements
from approvals.services.consume import consume_plainly
from approvals.services.decide import decide
from approvals.services.policies import current
from approvals.services.publish import publish
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import NoTransaction
from tests.approvals.conftest import Opener
from tests.approvals.till import by, verdict_on

AT_ONCE = Requirements(undo_seconds=0)


def spend(request: ApprovalRequest, **changes: Any) -> bool:
    values = {"request_id": request.pk, "revision": request.revision, "digest": request.digest}
    with transaction.atomic():
        return consume_plainly(**{**values, "stopped": False, **changes})


@pytest.fixture
def approved(opened: Opener, reviewer: User) -> ApprovalRequest:
    request = opened(needs=AT_ONCE)
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    request.refresh_from_db()
    return request


def test_an_approval_is_spent_once(approved: ApprovalRequest) -> None:
    assert spend(approved)
    assert not spend(approved)
    approved.refresh_from_db()
    assert approved.state == "consumed"


def test_what_was_not_approved_is_not_spent(opened: Opener, reviewer: User) -> None:
    pending, refused = opened(needs=AT_ONCE), opened(needs=AT_ONCE)
    refusal = verdict_on(refused, "reject", reason="no")
    decide(request_id=refused.pk, decision=refusal, caller=by(reviewer))
    assert not spend(pending)
    assert not spend(refused)


def late(request: ApprovalRequest) -> None:
    ApprovalRequest.objects.filter(pk=request.pk).update(execute_by=database_now())


def undoable(request: ApprovalRequest) -> None:
    ApprovalRequest.objects.filter(pk=request.pk).update(
        ready_at=F("ready_at") + timedelta(hours=1)
    )


def under_another_policy(request: ApprovalRequest) -> None:
    published = current()
    publish(
        document=published.policy.with_threshold("0.61", tool="something_else"),
        base_version=published.version,
        caller=Actor.system("test"),
        why="For a test.",
    )


@pytest.mark.parametrize("change", [late, undoable, under_another_policy])
def test_an_approval_that_needs_a_closer_look_is_left_as_it_is(
    approved: ApprovalRequest, change: Callable[[ApprovalRequest], None]
) -> None:
    change(approved)
    assert not spend(approved)
    approved.refresh_from_db()
    assert approved.state == "approved"


@pytest.mark.parametrize("other", [{"revision": 2}, {"digest": "sha256:" + "0" * 64}])
def test_an_approval_covers_exactly_its_revision_and_digest(
    approved: ApprovalRequest, other: dict[str, Any]
) -> None:
    assert not spend(approved, **other)


def test_nothing_is_spent_while_the_agent_is_switched_off(
    approved: ApprovalRequest,
) -> None:
    assert not spend(approved, stopped=True)
    approved.refresh_from_db()
    assert approved.state == "approved"


def test_spending_belongs_into_the_transaction_of_the_intent() -> None:
    with pytest.raises(NoTransaction):
        consume_plainly(request_id=uuid4(), revision=1, digest="", stopped=False)

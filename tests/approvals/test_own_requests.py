"""Nobody decides what they started themselves, by whichever door they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import ReviewGroup, User
from accounts.services.create_token import create_token
from approvals.errors import OwnRequest
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import GroupNeed, Requirements
from approvals.services.decide import decide
from approvals.services.sweep import sweep
from approvals.vocabulary import Expiry
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import by, by_token, verdict_on

Try = Callable[[ApprovalRequest, User], None]


def by_session(request: ApprovalRequest, user: User) -> None:
    with pytest.raises(OwnRequest):
        decide(request_id=request.pk, decision=verdict_on(request), caller=by(user))


def by_every_scope(request: ApprovalRequest, user: User) -> None:
    caller = by_token(user, "decide", "admin", "read", "run")
    with pytest.raises(OwnRequest):
        decide(request_id=request.pk, decision=verdict_on(request), caller=caller)


def by_editing(request: ApprovalRequest, user: User) -> None:
    edited = verdict_on(request, "edit", arguments={**request.arguments, "amount": "5.00"})
    with pytest.raises(OwnRequest):
        decide(request_id=request.pk, decision=edited, caller=by(user))


def by_page(request: ApprovalRequest, user: User) -> None:
    client = Client()
    client.force_login(user)
    body = verdict_on(request).model_dump(mode="json", exclude_none=True)
    address = reverse("request-decide", kwargs={"pk": request.pk})
    assert client.post(address, {**body, "tab": "team"}).status_code in (403, 409, 422)


def by_api(request: ApprovalRequest, user: User) -> None:
    token = create_token(person=user, name="own", caller=Actor.system("test"))
    answer = Client().post(
        f"/api/v1/approvals/{request.pk}/decisions",
        json.dumps(verdict_on(request).model_dump(mode="json", exclude_none=True)),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token.bearer}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "own_request")


def as_stand_in(request: ApprovalRequest, user: User) -> None:
    ApprovalRequest.objects.filter(pk=request.pk).update(
        review_deadline=database_now() - timedelta(seconds=1)
    )
    sweep()
    request.refresh_from_db()
    user.memberships.filter(group__slug="support").delete()
    by_session(request, user)


def as_the_last_of_two(request: ApprovalRequest, user: User) -> None:
    other = User.objects.get(username="second-reviewer")
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(other))
    request.refresh_from_db()
    by_session(request, user)
    assert Vote.objects.get(request=request).user == other


NEEDS = {
    as_stand_in: Requirements(on_expiry=Expiry.ESCALATE, escalation=("finance",), review_hours=2),
    as_the_last_of_two: Requirements(groups=(GroupNeed(group="support", count=2),)),
}


@pytest.mark.parametrize(
    "attempt",
    [by_session, by_every_scope, by_editing, by_page, by_api, as_stand_in, as_the_last_of_two],
)
def test_nobody_approves_what_they_started_by_any_path(
    opened: Opener,
    reviewer: User,
    second_reviewer: User,
    finance: ReviewGroup,
    attempt: Try,
) -> None:
    request = opened(initiator=reviewer.pk, needs=NEEDS.get(attempt))
    attempt(request, reviewer)
    request.refresh_from_db()
    assert request.state == "pending"
    assert not Vote.objects.filter(request=request, user=reviewer).exists()

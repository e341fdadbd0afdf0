"""Beside a call stands what was decided on calls like it: counted by how it went, and only what the reader may see."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse

from accounts.models import ReviewGroup, User
from approvals.models import ApprovalRequest
from approvals.services.decide import decide
from approvals.similar import DAYS, MOST, Similar, similar_to
from approvals.vocabulary import Kind
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, one_of, refund, verdict_on


def decided(request: ApprovalRequest, who: User, verdict: str = "approve", **body: Any) -> None:
    decide(request_id=request.pk, decision=verdict_on(request, verdict, **body), caller=by(who))
    request.refresh_from_db()


def like(request: ApprovalRequest, reader: User, newest: int = 3) -> Similar:
    found = similar_to(request, by(reader), newest=newest)
    assert found is not None
    return found


def page(reader: User, request: ApprovalRequest) -> str:
    client = Client()
    client.force_login(reader)
    return client.get(reverse("request-detail", kwargs={"pk": request.pk})).content.decode()


def test_calls_of_the_same_tool_are_counted_by_how_they_were_decided(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    now = opened()
    assert like(now, reviewer).number == 0
    approved, rejected, edited = opened(amount="1.00"), opened(amount="2.00"), opened(amount="3.00")
    decided(approved, reviewer)
    decided(rejected, reviewer, "reject", reason="No.")
    decided(edited, reviewer, "edit", arguments={**edited.arguments, "amount": "2.50"})
    if edited.state == "pending":
        decided(edited, second_reviewer)
    opened(amount="4.00")
    decided(opened(action=refund("5.00", tool="charge")), reviewer)
    found = like(now, reviewer, newest=2)
    assert list(found.counts) == [("approved", 1), ("edited", 1), ("rejected", 1)]
    assert list(found.newest) == [edited.pk, rejected.pk]
    assert not found.cut


def test_what_was_decided_long_ago_is_not_counted(opened: Opener, reviewer: User) -> None:
    now, old = opened(), opened(amount="1.00")
    decided(old, reviewer)
    for days, number in ((DAYS - 1, 1), (DAYS + 1, 0)):
        ago = database_now() - timedelta(days=days)
        ApprovalRequest.objects.filter(pk=old.pk).update(decided_at=ago)
        assert like(now, reviewer).number == number


def test_what_the_clock_or_a_policy_closed_is_no_verdict_of_a_reviewer(
    opened: Opener, reviewer: User
) -> None:
    now, late, policy = opened(), opened(amount="1.00"), opened(amount="2.00")
    closed = {"state": "expired", "decided_at": database_now()}
    for request, how in ((late, "expired"), (policy, "rejected")):
        told = {"kind": how, "who": "the clock", "ready_at": None, "data": {}}
        ApprovalRequest.objects.filter(pk=request.pk).update(**closed, resolution=told)
    assert list(like(now, reviewer).counts) == [("not decided in time", 1)]


def test_nobody_counts_what_they_may_not_see(
    opened: Opener, reviewer: User, operator: User, finance: ReviewGroup, outsider: User
) -> None:
    now = opened()
    decided(opened(amount="1.00", initiator=None, needs=one_of("finance")), reviewer)
    assert like(now, reviewer).number == 1
    assert like(now, outsider).number == 0
    assert like(now, operator).number == 0


def test_a_question_has_no_calls_like_it(opened: Opener, reviewer: User) -> None:
    asked = opened(
        kind=Kind.QUESTION, question={"question": "Which?", "schema": {"type": "string"}}
    )
    assert similar_to(asked, by(reviewer), newest=3) is None


def test_no_more_are_counted_than_are_read(
    opened: Opener, reviewer: User, django_assert_num_queries: Any
) -> None:
    now, one = opened(), opened(amount="1.00")
    decided(one, reviewer)
    copies = [ApprovalRequest.objects.get(pk=one.pk) for _ in range(MOST)]
    for copy in copies:
        copy.pk = type(one)().pk
    ApprovalRequest.objects.bulk_create(copies)
    ApprovalRequest.objects.update(initiator=reviewer)
    caller = by(reviewer)
    assert caller.holds("decide_requests")
    assert caller.group_ids
    with django_assert_num_queries(1):
        found = similar_to(now, caller, newest=3)
    assert found is not None
    assert (found.number, found.cut, len(found.newest)) == (MOST, True, 3)


def test_the_page_says_how_many_and_leads_to_the_newest_with_the_reason_that_was_picked(
    opened: Opener, reviewer: User
) -> None:

    now, before = opened(), opened(amount="7.00")
    assert 'id="similar"' not in page(reviewer, now)
    decided(before, reviewer, "reject", reason="Twice.", reason_code="wrong_amount")
    text = page(reviewer, now)
    part = text[text.index('id="similar"') :].partition("</section>")[0]
    assert "1 in 90 days: 1 rejected" in part
    assert "Refund €7.00 to Acme GmbH" in part
    assert "Rejected by reviewer: Wrong amount" in part
    assert re.search(rf'href="/requests/{before.pk}/', part)


def test_a_title_that_tells_a_sensitive_argument_is_not_told_by_a_list(
    opened: Opener, till: Till, reviewer: User
) -> None:
    now = opened()
    till.sensitive = ("amount",)
    before = opened(amount="77.00", sensitive=("amount",))
    decided(before, reviewer, "reject", reason="No.")
    text = page(reviewer, now)
    assert "1 rejected" in text
    assert "77.00" not in text

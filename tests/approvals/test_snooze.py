"""A person puts a request off: their own lists leave it out until its time, and nothing else changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.errors import PermissionMissing
from accounts.models import User
from approvals.desk import Desk
from approvals.errors import BadBody, DeadlineTooNear, NotInGroups, NotOpen, RequestUnknown
from approvals.models import ApprovalRequest, Snooze
from approvals.services.claim import claim
from approvals.services.decide import decide
from approvals.services.snooze import BACK_BEFORE, MOST_HOURS, snooze, wake
from audit.clock import database_now
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.approvals.till import by, events_of, one_of, verdict_on


def lists(user: User) -> dict[str, int]:
    return dict(Desk(by(user)).counts)


def past(request: ApprovalRequest) -> None:
    """Let the time come at which it is back."""
    Snooze.objects.filter(request=request).update(until=database_now())


def test_a_snoozed_request_leaves_the_lists_of_that_person_alone_until_its_time(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    claim(request_id=request.pk, caller=by(reviewer))
    before = ApprovalRequest.objects.values().get(pk=request.pk)
    until = snooze(request_id=request.pk, hours=1, caller=by(reviewer))
    assert timedelta(0) < until - database_now() <= timedelta(hours=1)
    assert lists(reviewer) == {"mine": 0, "team": 0, "snoozed": 1}
    assert lists(second_reviewer) == {"mine": 0, "team": 1, "snoozed": 0}
    assert ApprovalRequest.objects.values().get(pk=request.pk) == before
    event = Event.objects.get(type="request.snoozed")
    assert (event.actor_id, event.request) == (str(reviewer.pk), request.pk)
    past(request)
    assert lists(reviewer) == {"mine": 1, "team": 1, "snoozed": 0}


def test_it_is_taken_up_again_by_hand(opened: Opener, reviewer: User) -> None:
    request = opened()
    snooze(request_id=request.pk, hours=4, caller=by(reviewer))
    wake(request_id=request.pk, caller=by(reviewer))
    assert lists(reviewer) == {"mine": 0, "team": 1, "snoozed": 0}
    wake(request_id=request.pk, caller=by(reviewer))
    assert events_of(request)[-2:] == ["request.snoozed", "request.woken"]


def test_it_can_be_put_off_again_and_the_last_word_counts(opened: Opener, reviewer: User) -> None:
    request = opened()
    snooze(request_id=request.pk, hours=1, caller=by(reviewer))
    until = snooze(request_id=request.pk, hours=3, caller=by(reviewer))
    assert Snooze.objects.get(request=request).until == until


def test_what_asks_for_something_else_is_back_at_once(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    request = opened(needs=one_of("finance", "support"))
    snooze(request_id=request.pk, hours=1, caller=by(reviewer))
    changed = {**request.arguments, "amount": "35.00"}
    edit = verdict_on(request, "edit", arguments=changed)
    decide(request_id=request.pk, decision=edit, caller=by(second_reviewer))
    request.refresh_from_db()
    assert (request.state, request.revision) == ("pending", 2)
    assert lists(reviewer) == {"mine": 0, "team": 1, "snoozed": 0}


def test_it_is_back_before_its_deadline_and_one_that_is_near_is_not_put_off(
    opened: Opener, reviewer: User
) -> None:
    request = opened()
    deadline = database_now() + timedelta(hours=2)
    ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=deadline)
    until = snooze(request_id=request.pk, hours=24, caller=by(reviewer))
    assert until == deadline - BACK_BEFORE
    near = opened()
    ApprovalRequest.objects.filter(pk=near.pk).update(review_deadline=database_now() + BACK_BEFORE)
    with pytest.raises(DeadlineTooNear):
        snooze(request_id=near.pk, hours=1, caller=by(reviewer))
    assert not Snooze.objects.filter(request=near).exists()


@pytest.mark.parametrize("hours", [0, -1, MOST_HOURS + 1])
def test_it_is_put_off_by_whole_hours_of_at_most_a_week(
    opened: Opener, reviewer: User, hours: int
) -> None:
    with pytest.raises(BadBody):
        snooze(request_id=opened().pk, hours=hours, caller=by(reviewer))


def test_only_who_could_decide_puts_a_request_off(
    opened: Opener, reviewer: User, auditor: User, operator: User, outsider: User
) -> None:
    request = opened(needs=one_of("finance"))
    for who, refusal in (
        (auditor, PermissionMissing),
        (operator, PermissionMissing),
        (outsider, RequestUnknown),
    ):
        with pytest.raises(refusal):
            snooze(request_id=request.pk, hours=1, caller=by(who))
    reviewer.memberships.filter(group__slug="finance").delete()
    with pytest.raises((NotInGroups, RequestUnknown)):
        snooze(request_id=request.pk, hours=1, caller=by(reviewer))
    with pytest.raises(RequestUnknown):
        wake(request_id=request.pk, caller=by(outsider))
    assert not Snooze.objects.exists()


def test_what_is_decided_is_not_put_off(opened: Opener, reviewer: User) -> None:
    request = opened()
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    with pytest.raises(NotOpen):
        snooze(request_id=request.pk, hours=1, caller=by(reviewer))


def test_a_snoozed_request_can_be_decided_like_any_other(opened: Opener, reviewer: User) -> None:
    request = opened()
    snooze(request_id=request.pk, hours=1, caller=by(reviewer))
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    assert lists(reviewer) == {"mine": 0, "team": 0, "snoozed": 0}


def test_snoozing_works_without_a_script_and_an_empty_list_says_what_was_put_off(
    opened: Opener, reviewer: User
) -> None:
    request = opened()
    client = Client()
    client.force_login(reviewer)
    url = reverse("request-snooze", kwargs={"pk": request.pk})
    answer: Any = client.post(url, {"hours": "4", "tab": "team"}, follow=True)
    text = answer.content.decode()
    assert "Snoozed until" in text
    assert "Back to my lists" in text
    empty = client.get("/inbox/").content.decode()
    assert "Nothing waits for you" in empty
    assert "1 snoozed." in empty
    assert "Refund €20.00 to Acme GmbH" in client.get("/inbox/?tab=snoozed").content.decode()
    client.post(url, {"wake": "1"})
    assert "Nothing is snoozed" in client.get("/inbox/?tab=snoozed").content.decode()
    wrong = client.post(url, {"hours": "many"})
    assert wrong.status_code == 422

"""What one person has before them: counted in one statement, the same as its lists, and asked for once."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from approvals.desk import Desk
from approvals.models import ApprovalRequest
from approvals.services.claim import claim
from approvals.services.decide import decide
from tests.approvals.conftest import Opener
from tests.approvals.till import by, one_of, verdict_on

#: Of each page, what it may ask, with a session and a person to sign in and their rights.
MOST_STATEMENTS = {
    "/inbox/": 6,
    "/inbox/?tab=mine": 7,
    "/inbox/?tab=decided": 7,
    "/inbox/rows/": 3,
    "/inbox/counts/": 2,
}
"""Statements of a page with requests in its list."""


def statements(client: Client, path: str, **headers: str) -> int:
    """How many one look at the page takes, once nothing is seen for the first time."""
    client.get(path, headers=headers)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path, headers=headers).status_code == 200
    return len(asked)


@pytest.fixture
def client_of_reviewer(reviewer: User) -> Client:
    client = Client()
    client.force_login(reviewer)
    return client


def test_numbers_are_those_of_the_lists_and_come_in_one_statement(
    opened: Opener, reviewer: User, second_reviewer: User, django_assert_num_queries: Any
) -> None:
    first, second, third = opened(), opened(), opened(needs=one_of("finance"))
    claim(request_id=second.pk, caller=by(reviewer))
    decide(request_id=third.pk, decision=verdict_on(third), caller=by(second_reviewer))
    caller = by(reviewer)
    assert caller.holds("decide_requests")
    assert caller.group_ids
    desk = Desk(caller)
    with django_assert_num_queries(1):
        rest, counts = desk.rest, desk.counts
    third.refresh_from_db()
    assert counts == {"mine": 1, "team": 2, "snoozed": 0}
    assert (rest.waiting, rest.others, rest.last_decided_at) == (2, 0, third.decided_at)
    assert rest.next_deadline == min(first.review_deadline, second.review_deadline)
    alone = Desk(by(reviewer))
    assert alone.counts == counts
    assert counts["team"] == desk.lists.of("team").count()


def test_others_are_what_the_person_sees_and_may_not_decide(
    opened: Opener, reviewer: User, auditor: User, outsider: User
) -> None:
    opened()
    assert [Desk(by(who)).elsewhere for who in (reviewer, auditor, outsider)] == [0, 1, 0]
    assert [Desk(by(who)).rest.others for who in (reviewer, auditor, outsider)] == [0, 1, 0]


def test_the_next_one_is_the_most_urgent_of_the_others(opened: Opener, reviewer: User) -> None:
    first, second = opened(), opened()
    desk = Desk(by(reviewer))
    assert desk.next_after(first.pk) == second.pk
    assert desk.next_after(second.pk) == first.pk
    ApprovalRequest.objects.filter(pk=second.pk).update(state="cancelled")
    assert Desk(by(reviewer)).next_after(first.pk) is None


@pytest.mark.parametrize("path", MOST_STATEMENTS)
def test_a_list_asks_the_database_as_often_whatever_its_length(
    opened: Opener, reviewer: User, client_of_reviewer: Client, path: str
) -> None:
    def more() -> None:
        for request in (opened(), opened()):
            claim(request_id=request.pk, caller=by(reviewer))
        done = opened()
        decide(request_id=done.pk, decision=verdict_on(done), caller=by(reviewer))

    more()
    few = statements(client_of_reviewer, path)
    more()
    more()
    assert statements(client_of_reviewer, path) == few <= MOST_STATEMENTS[path]


@pytest.mark.parametrize(("headers", "most"), [({}, 20), ({"HX-Request": "true"}, 16)])
def test_a_request_asks_the_database_as_often_however_many_wait_and_were_decided(
    opened: Opener,
    reviewer: User,
    client_of_reviewer: Client,
    headers: dict[str, str],
    most: int,
) -> None:
    def decided() -> None:
        done = opened()
        decide(request_id=done.pk, decision=verdict_on(done), caller=by(reviewer))

    request = opened()
    decided()
    path = f"/requests/{request.pk}/"
    few = statements(client_of_reviewer, path, **headers)
    for _ in range(3):
        opened()
        decided()
    assert statements(client_of_reviewer, path, **headers) == few <= most

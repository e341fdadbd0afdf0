"""What is listed for whom: the narrow copy says what `visible_to` says, and lists of decisions are read by it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test import Client

from accounts.models import Membership, ReviewGroup, User
from approvals import decided
from approvals.desk import Desk
from approvals.filters import Filters
from approvals.models import ApprovalRequest, Listing, RequestGroup
from approvals.services.decide import decide
from approvals.services.undo import undo
from tests.approvals.conftest import Opener
from tests.approvals.till import by, one_of, verdict_on

pytestmark = pytest.mark.django_db


def listed_for(person: User) -> set[Any]:
    groups = person.review_groups.values_list("pk", flat=True)
    rows = Listing.objects.filter(Q(reader__in=groups) | Q(reader=-person.pk))
    return set(rows.values_list("request_id", flat=True))


@pytest.fixture
def past(
    opened: Opener, reviewer: User, second_reviewer: User, finance: ReviewGroup
) -> list[ApprovalRequest]:
    """Requests as they come to stand: one waits, one was decided, one was decided and taken back, one was
    decided by somebody who has left the group, and one is asked of another group than at first."""
    waiting, done, back, left, moved = (opened() for _ in range(5))
    for one in (done, back):
        decide(request_id=one.pk, decision=verdict_on(one), caller=by(reviewer))
    undo(request_id=back.pk, caller=by(reviewer))
    decide(request_id=left.pk, decision=verdict_on(left), caller=by(second_reviewer))
    Membership.objects.filter(user=second_reviewer).delete()
    moved.request_groups.all().delete()
    RequestGroup.objects.create(request=moved, group=finance)
    return [waiting, done, back, left, moved]


def test_what_is_listed_for_a_reader_is_what_they_may_see(
    past: list[ApprovalRequest],
    reviewer: User,
    second_reviewer: User,
    operator: User,
    outsider: User,
) -> None:
    for person in (reviewer, second_reviewer, operator, outsider):
        seen = ApprovalRequest.objects.visible_to(person).values_list("pk", flat=True)
        assert listed_for(person) == set(seen), person
    assert past[3].pk in listed_for(second_reviewer), "they voted on it"
    closed = set(Listing.objects.filter(closed_at__isnull=False).values_list("request_id"))
    assert closed == {(past[1].pk,), (past[3].pk,)}


def test_what_was_there_before_is_listed_as_what_comes(past: list[ApprovalRequest]) -> None:
    columns = [field.attname for field in Listing._meta.concrete_fields]
    kept = set(Listing.objects.values_list(*columns))
    assert kept
    Listing.objects.all().delete()
    fill = import_module("approvals.migrations.0014_fill_listing").fill
    for _ in range(2):
        with connection.schema_editor(atomic=False) as editor:
            fill(None, editor)
        assert set(Listing.objects.values_list(*columns)) == kept


@pytest.mark.parametrize(
    "asked",
    [
        Filters(),
        Filters(risk="high"),
        Filters(risk="low", kind="action"),
        Filters(agent="refund-desk"),
        Filters(tool="zebra"),
        Filters(words="refund"),
    ],
)
def test_the_decided_list_is_what_the_reader_may_see_of_it_in_its_order(
    past: list[ApprovalRequest],
    opened: Opener,
    reviewer: User,
    auditor: User,
    outsider: User,
    asked: Filters,
) -> None:
    for _ in range(2):
        done = opened(needs=one_of("finance"))
        decide(request_id=done.pk, decision=verdict_on(done), caller=by(reviewer))
    for person in (reviewer, auditor, outsider):
        desk = Desk(by(person))
        truth = ApprovalRequest.objects.decided_for(person).last_decided_first()
        for name in ("risk", "kind", "agent", "tool"):
            if value := getattr(asked, name):
                truth = truth.filter(**{name: value})
        ids = list(truth.values_list("pk", flat=True))
        assert [row.pk for row in desk.fitting("decided", asked)] == ids
        assert desk.number("decided", asked) == len(ids)
        told = desk.holding("decided", asked) if asked.words else desk.decided(asked).ids
        assert list(told) == ids


def test_what_was_not_looked_through_is_said(
    past: list[ApprovalRequest], reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(reviewer)
    said = "and nothing older"
    for query in ("tool=zebra", "q=zebra"):
        assert said not in client.get(f"/inbox/?tab=decided&{query}").text
    monkeypatch.setattr(decided, "MOST_LOOKED_THROUGH", 1)
    monkeypatch.setattr(decided, "MOST_READ", 1)
    for query in ("tool=zebra", "q=zebra"):
        assert said in client.get(f"/inbox/?tab=decided&{query}").text
    assert said not in client.get("/inbox/?tab=decided").text

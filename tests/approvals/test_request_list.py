"""The list of all requests: who sees which, and what each filter leaves, as figures count them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from accounts.models import User
from approvals.models import ApprovalRequest, Vote
from approvals.views.request_list import PER_PAGE
from audit.clock import database_now
from tests.approvals.conftest import Opener

Login = Callable[[Client, User], Client]
DAY = datetime(2026, 3, 3, tzinfo=UTC)
SHA = "sha256:" + "0" * 64


def closed(opened: Opener, kind: str, at: datetime, by: User | None = None, **more: Any) -> UUID:
    """A request that was closed so."""
    request = opened()
    edited = more.pop("edited", False)
    ApprovalRequest.objects.filter(pk=request.pk).update(
        state="answered",
        decided_at=at,
        decided_by=by,
        resolution={"kind": kind, "data": {"edited": edited}},
        **{"review_deadline": None, "risk": "low", "risk_rank": 0, **more},
    )
    return request.pk


def vote(which: UUID, by: User, verdict: str, looked: timedelta | None, at: datetime = DAY) -> None:
    Vote.objects.create(
        request_id=which,
        revision=1,
        user=by,
        auth="session",
        verdict=verdict,
        nonce=f"{which}{by.pk}",
        body_sha256=SHA,
        digest=SHA,
        shown_sha256=SHA,
        opened_at=None if looked is None else at - looked,
        created_at=at,
    )


def listed(client: Client, query: str) -> list[UUID]:
    page = client.get(f"/requests/?{query}")
    assert page.status_code == 200, query
    return [item.pk for item, _ in page.context["rows"]]


def test_each_filter_of_closed_requests_leaves_what_it_says(
    client: Client,
    login: Login,
    opened: Opener,
    auditor: User,
    reviewer: User,
    second_reviewer: User,
) -> None:
    moment, late = timedelta(microseconds=1), DAY - timedelta(seconds=1)
    first = closed(opened, "approved", DAY, reviewer, review_deadline=DAY, tool="send_mail")
    before = closed(opened, "approved", DAY - moment, reviewer, edited=True, review_deadline=late)
    last = closed(opened, "expired", DAY + timedelta(days=1) - moment, review_deadline=DAY)
    after = closed(opened, "rejected", DAY + timedelta(days=1), second_reviewer, agent="desk")
    gone = closed(opened, "cancelled", DAY, review_deadline=late, agent_version="sha256:other")
    risky = closed(opened, "approved", DAY, reviewer, risk="high", risk_rank=2)
    slowly = closed(opened, "approved", DAY, reviewer, risk="high", risk_rank=2)
    waiting = opened().pk
    everything = {first, before, last, after, gone, risky, slowly}
    vote(risky, reviewer, "approve", timedelta(seconds=2.9))
    vote(slowly, reviewer, "approve", timedelta(seconds=3))
    vote(slowly, second_reviewer, "reject", None)
    # Of low risk nobody counts how fast it was.
    vote(first, second_reviewer, "approve", None)
    login(client, auditor)
    fitting = {
        "": everything,
        "state=closed": everything,
        "state=waiting": {waiting},
        "since=2026-03-03&until=2026-03-03": {first, last, gone, risky, slowly},
        "since=2026-03-04": {after},
        "until=2026-03-02": {before},
        "how=decided": everything - {last, gone},
        "how=approved": {first, risky, slowly},
        "how=edited": {before},
        "how=rejected": {after},
        "how=expired": {last},
        "how=withdrawn": {gone},
        "how=answered": set(),
        "deadline=met": {first},
        "deadline=missed": {before, last},
        "agent=desk": {after},
        "tool=send_mail": {first},
        "version=sha256%3Aother": {gone},
        f"person={reviewer.pk}": {risky, slowly},
        f"person={second_reviewer.pk}": {first, slowly},
        "fast=1": {risky},
        f"fast=1&person={second_reviewer.pk}": set(),
        f"person={reviewer.pk}&how=approved&since=2026-03-03": {risky, slowly},
    }
    for query, found in fitting.items():
        assert set(listed(client, query)) == found, query
    # What was closed last comes first.
    assert listed(client, "")[0] == after
    assert listed(client, "")[-1] == before


def test_requests_that_wait_are_told_apart_by_how_long(
    client: Client, login: Login, opened: Opener, auditor: User
) -> None:
    now, ids = database_now(), {}
    edges = {"new": (0, 3_500), "hour": (3_700, 86_000), "day": (86_500, 604_000)}
    for age, seconds in {**edges, "week": (605_000, 9_000_000)}.items():
        ids[age] = {opened().pk for _ in seconds}
        for pk, old in zip(ids[age], seconds, strict=True):
            ApprovalRequest.objects.filter(pk=pk).update(created_at=now - timedelta(seconds=old))
    login(client, auditor)
    for age, found in ids.items():
        assert set(listed(client, f"state=waiting&age={age}")) == found, age
    assert len(listed(client, "state=waiting")) == 8


def test_everybody_sees_their_own_and_only_who_reads_everything_asks_for_a_person(
    client: Client,
    login: Login,
    opened: Opener,
    reviewer: User,
    outsider: User,
    second_reviewer: User,
) -> None:
    mine = closed(opened, "approved", DAY, reviewer)
    vote(mine, reviewer, "approve", None)
    login(client, reviewer)
    assert listed(client, "") == [mine]
    # Not narrowed: who decided is not told by what is left out.
    assert listed(client, f"person={second_reviewer.pk}") == [mine]
    login(client, outsider)
    assert listed(client, "") == []
    client.logout()
    assert client.get("/requests/").status_code == 302


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=open", "state"),
        ("how=somehow", "how"),
        ("age=old", "age"),
        ("deadline=soon", "deadline"),
        ("since=2026-02-30", "since"),
        ("since=1969-01-01", "since"),
        ("until=9999-12-31", "until"),
        ("since=2026-03-02&until=2026-03-01", "until"),
        (f"agent={'x' * 101}", "agent"),
        ("category=a%20b", "category"),
        ("person=0", "person"),
    ],
)
def test_a_filter_that_is_not_to_be_understood_is_named_and_lists_nothing(
    client: Client, login: Login, auditor: User, query: str, field: str
) -> None:
    login(client, auditor)
    page = client.get(f"/requests/?{query}")
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert "rows" not in page.context


def test_pages_follow_each_other_without_a_gap_and_a_foreign_cursor_begins_anew(
    client: Client, login: Login, opened: Opener, auditor: User, reviewer: User
) -> None:
    # Many at one moment: the key tells their order.
    ids = [closed(opened, "approved", DAY, reviewer).hex for _ in range(PER_PAGE + 3)]
    login(client, auditor)
    page = client.get("/requests/?how=approved")
    rows = [item.pk.hex for item, _ in page.context["rows"]]
    assert len(rows) == PER_PAGE
    page = client.get(page.context["next_url"])
    rows += [item.pk.hex for item, _ in page.context["rows"]]
    assert rows == sorted(ids, reverse=True)
    assert page.context["next_url"] == ""
    assert page.context["first_url"] == "/requests/?how=approved"
    answer = client.get("/requests/?how=approved&cursor=nonsense")
    assert (answer.status_code, answer["Location"]) == (302, "/requests/?how=approved")


def test_agents_and_tools_are_picked_as_people_call_them(
    client: Client, login: Login, opened: Opener, reviewer: User
) -> None:
    till = opened()
    closed(opened, "approved", DAY, reviewer, agent="front-desk", agent_title="Front desk")
    closed(opened, "approved", DAY, reviewer, agent="nameless", agent_title="", tool="send_mail")
    login(client, reviewer)
    shown = client.get("/requests/?agent=gone&tool=pay_out").content.decode()
    for value, words in (
        ("front-desk", "Front desk"),
        ("nameless", "nameless"),
        ("send_mail", "Send mail"),
    ):
        assert f'<option value="{value}">{words}</option>' in shown
    # What was asked for stays chosen, though nothing here has it.
    assert '<option value="gone" selected>gone</option>' in shown
    assert '<option value="pay_out" selected>Pay out</option>' in shown
    assert f'<option value="{till.agent}">' not in shown, "that one waits"
    waiting = client.get("/requests/?state=waiting").content.decode()
    assert f'<option value="{till.agent}">{till.agent_title}</option>' in waiting

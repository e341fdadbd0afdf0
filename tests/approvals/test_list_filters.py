"""Filters of the inbox: what fits each, what a bad one says, and that the list stays the list while it is walked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from approvals.desk import Desk
from approvals.filters import Filters
from approvals.models import ApprovalRequest
from approvals.services.claim import claim
from approvals.services.decide import decide
from approvals.vocabulary import Kind
from tests.approvals.conftest import Opener
from tests.approvals.till import Till, by, one_of, verdict_on

Shown = Callable[[str], list[Any]]


@pytest.fixture
def client_of_reviewer(reviewer: User) -> Client:
    client = Client()
    client.force_login(reviewer)
    return client


@pytest.fixture
def shown(client_of_reviewer: Client) -> Shown:
    """The keys of the rows that an address lists."""

    def look(query: str) -> list[Any]:
        page = client_of_reviewer.get(f"/inbox/?{query}")
        assert page.status_code == 200, query
        return [row.item.pk for row in page.context["rows"]]

    return look


def made(request: ApprovalRequest, **values: Any) -> Any:
    """The request with these columns, and its key."""
    ApprovalRequest.objects.filter(pk=request.pk).update(**values)
    return request.pk


def test_each_filter_shows_what_fits_and_nothing_else(
    opened: Opener, reviewer: User, second_reviewer: User, shown: Shown
) -> None:
    now = timezone.now()
    plain = made(opened(), review_deadline=now + timedelta(days=3))
    critical = made(opened(), risk="critical", risk_rank=3, review_deadline=None)
    other = made(opened(), agent="desk", agent_title="Front desk")
    tool = made(opened(), tool="send_mail")
    question = opened(kind=Kind.RESULT, needs=one_of("support")).pk
    mine, taken = opened(), opened()
    claim(request_id=mine.pk, caller=by(reviewer))
    claim(request_id=taken.pk, caller=by(second_reviewer))
    soon = made(opened(), review_deadline=now + timedelta(minutes=30))
    old = made(opened(), created_at=now - timedelta(hours=30))
    everything = set(shown("tab=team"))
    assert len(everything) == 9
    fitting = {
        "risk=critical": {critical},
        "agent=desk": {other},
        "tool=send_mail": {tool},
        "kind=result": {question},
        "claimed=mine": {mine.pk},
        "claimed=free": everything - {mine.pk, taken.pk},
        "due=hour": {soon},
        "due=week": everything - set(shown("due=none")),
        "age=day": {old},
        "risk=critical&tool=send_mail": set(),
        "q=front": {other},
        "q=front&claimed=free": {other},
        "q=front&claimed=mine": set(),
    }
    assert {critical, question} <= set(shown("due=none"))
    for query, found in fitting.items():
        assert set(shown(query)) == found, query
    assert plain in shown("due=week")


@pytest.mark.parametrize("tab", ["team", "decided"])
def test_words_are_found_as_they_are_in_any_column_and_in_no_two_together(
    opened: Opener, reviewer: User, tab: str
) -> None:
    named = {
        "percent": {"title": "Refund 10% of it"},
        "dash": {"title": "Close the a_b account"},
        "slash": {"title": r"Move C:\data away", "agent_title": "Front Desk"},
        "plain": {"title": "Refund 10 of it, axb", "agent": "front", "tool": "send_mail"},
    }
    keys = {}
    for name, columns in named.items():
        request = opened()
        if tab == "decided":
            decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
        keys[made(request, **columns)] = name
    desk = Desk(by(reviewer))
    found = {
        words: {keys[pk] for pk in desk.holding(tab, Filters(words=words))}
        for words in ("10%", "A_B", "C:\\", "away DESK", "front", "frontsend_mail", "it front")
    }
    assert found == {
        "10%": {"percent"},
        "A_B": {"dash"},
        "C:\\": {"slash"},
        "away DESK": {"slash"},
        "front": {"slash", "plain"},
        "frontsend_mail": set(),
        "it front": {"plain"},
    }


def test_what_was_decided_is_filtered_too(opened: Opener, reviewer: User, shown: Shown) -> None:
    risky, other = opened(), opened()
    made(risky, risk="critical", risk_rank=3)
    for request in (risky, other):
        request.refresh_from_db()
        decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    assert shown("tab=decided&risk=critical") == [risky.pk]
    assert shown("tab=decided&tool=none_such") == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("risk=purple", "Risk: There is no such risk."),
        ("kind=%00", "Kind:"),
        ("due=yesterday", "Decide: Deadlines are not filtered by that."),
        ("age=1e9", "Waiting:"),
        ("claimed=5", "Claimed:"),
        (f"agent={'x' * 101}", "Agent: Ensure this value has at most 100 characters"),
        (f"q={'x' * 201}", "Words: Ensure this value has at most 200 characters"),
        ("tab=decided&due=hour", "Decide: Only requests that wait are filtered by this."),
    ],
)
def test_a_filter_that_is_not_to_be_understood_says_so_and_lists_nothing(
    opened: Opener, client_of_reviewer: Client, query: str, says: str
) -> None:
    request = opened()
    page = client_of_reviewer.get(f"/inbox/?{query}")
    text = page.content.decode()
    if "%00" in query:
        assert page.status_code == 400
        return
    assert (page.status_code, list(page.context["rows"])) == (422, [])
    assert says in text
    assert "Clear the filters" in text
    beside = client_of_reviewer.get(f"/requests/{request.pk}/?{query}")
    assert beside.status_code == 200
    assert says in beside.content.decode()
    assert says in client_of_reviewer.get(f"/inbox/rows/?{query}").content.decode()


def test_filters_that_nothing_fits_say_so_and_offer_the_whole_list(
    opened: Opener, client_of_reviewer: Client
) -> None:
    opened()
    text = client_of_reviewer.get("/inbox/?tab=team&risk=critical").content.decode()
    assert "Nothing here matches" in text
    assert 'href="/inbox/?tab=team"' in text
    assert "Nothing is waiting" not in text


def test_a_badge_counts_its_whole_list_whatever_the_filters(
    opened: Opener, reviewer: User, client_of_reviewer: Client
) -> None:
    made(opened(), risk="critical", risk_rank=3)
    for _ in range(2):
        opened()
    page = client_of_reviewer.get("/inbox/?risk=critical")
    assert len(page.context["rows"]) == 1
    team = next(tab for tab in page.context["tabs"] if tab["key"] == "team")
    assert (team["count"], team["url"]) == (3, "/inbox/?tab=team")
    desk = Desk(by(reviewer))
    assert desk.number("team", Filters(risk="critical")) == 1
    assert desk.number("team", Filters(words="acme", risk="critical")) == 1
    assert desk.number("team", Filters()) == 3


def test_a_row_a_form_and_next_keep_the_filters(
    opened: Opener, client_of_reviewer: Client, shown: Shown
) -> None:
    fit = [made(opened(), tool="send_mail", agent_title="Post & mail") for _ in range(2)]
    opened()
    query = "tab=team&q=post+%26&tool=send_mail"
    page = client_of_reviewer.get(f"/inbox/?{query}")
    (first, second) = (row.url for row in page.context["rows"])
    assert parse_qs(urlsplit(first).query) == parse_qs(query)
    detail = client_of_reviewer.get(first)
    assert f'name="list" value="{query.replace("&", "&amp;")}"' in detail.content.decode()
    item = detail.context["shown"].item
    body = {
        "verdict": "approve",
        "revision": item.revision,
        "digest": item.digest,
        "shown_sha256": item.shown_sha256,
        "nonce": "nonce-of-a-filter",
        "list": query,
    }
    answer: Any = client_of_reviewer.post(f"/requests/{item.pk}/decide/", body)
    assert answer.headers["Location"] == f"/requests/{item.pk}/?{query}"
    decided = client_of_reviewer.get(answer.headers["Location"])
    assert decided.context["shown"].next_url == second
    assert set(shown(query)) == set(fit) - {item.pk}


def test_one_filter_is_taken_away_at_a_time(opened: Opener, client_of_reviewer: Client) -> None:
    opened()
    page = client_of_reviewer.get("/inbox/?tab=mine&risk=high&claimed=mine&q=acme")
    chips = {chip.words: chip.url for chip in page.context["chips"]}
    assert chips == {
        "High risk": "/inbox/?tab=mine&q=acme&claimed=mine",
        "I am on it": "/inbox/?tab=mine&q=acme&risk=high",
    }


def test_the_panel_offers_the_agents_and_tools_of_the_list(
    opened: Opener, client_of_reviewer: Client
) -> None:
    made(opened(), agent="desk", agent_title="Front desk", tool="send_mail")
    opened()
    panel = client_of_reviewer.get("/inbox/?filters=open&agent=gone").context["panel"]
    offered = {name: dict(panel[name].field.widget.choices) for name in ("agent", "tool")}
    assert offered["agent"] == {"": "Any", "desk": "Front desk", "till": "Till", "gone": "gone"}
    assert offered["tool"] == {"": "Any", "pay_back": "Pay back", "send_mail": "Send mail"}
    closed = client_of_reviewer.get("/inbox/?agent=till&tool=send_mail&risk=low")
    assert [chip.words for chip in closed.context["chips"]] == [
        "Low risk",
        "Till",
        "Tool Send mail",
    ]
    assert client_of_reviewer.get("/inbox/").context["panel"] is None


@pytest.mark.parametrize("query", ["risk=high", "tool=pay_back&agent=till&claimed=free", "q=acme"])
def test_a_filtered_list_asks_the_database_as_often_whatever_its_length(
    opened: Opener, client_of_reviewer: Client, query: str
) -> None:
    opened()
    client_of_reviewer.get(f"/inbox/?{query}")
    with CaptureQueriesContext(connection) as few:
        client_of_reviewer.get(f"/inbox/?{query}")
    for _ in range(4):
        opened()
    with CaptureQueriesContext(connection) as many:
        page = client_of_reviewer.get(f"/inbox/?{query}")
    assert len(page.context["rows"]) == 5
    assert len(many) == len(few) <= 10


def test_runs_under_way_are_said_where_nothing_waits(
    opened: Opener, till: Till, reviewer: User, client_of_reviewer: Client
) -> None:
    till.running = 2
    request = opened()
    assert "2 runs active" not in client_of_reviewer.get("/inbox/").content.decode()
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    text = client_of_reviewer.get("/inbox/").content.decode()
    assert "Nothing is waiting" in text
    assert '<a href="/runs/?state=active">2 runs active</a>' in text

"""The page, its file and the API: who may look, and that each number leads to what it counts."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.db.models import F, Q
from django.test import Client

from accounts.models import User
from approvals.models import Vote
from insights.models import RunFact
from insights.services.advance import advance
from tests.insights.history import History

#: Of numbers with the same filters, no more are followed.
SAMPLED = 4
Login = Callable[[Client, User], Client]


@pytest.fixture
def counted(history: Callable[[int], History]) -> History:
    """A history that is counted."""
    made = history(7)
    made.write(50)
    advance()
    return made


def counted_behind(client: Client, url: str) -> int:
    """How many rows stand in the list that the address names, on all its pages; of calls and verdicts how many
    such these rows have, since a run may hold several, and a person may vote on a request twice."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    rows: list[Any] = []
    while url:
        page = client.get(url)
        assert page.status_code == 200, url
        rows += page.context["rows"]
        url = page.context["next_url"]
    for name, part in (("call", "how"), ("error", "problem"), ("argument", "arguments")):
        if name in asked:
            return sum(calls_like(row.run.pk, part, asked[name]) for row in rows)
    if "person" in asked:
        return sum(votes_like(item.pk, asked) for item, _ in rows)
    return len(rows)


def calls_like(run: UUID, part: str, said: str) -> int:
    """Calls of the run that the filter asks for; every row has one."""
    tool, _, value = said.partition(":")
    calls = RunFact.objects.get(pk=run).calls
    number: int = sum(
        call["n"]
        for call in calls
        if tool in ("*", call["tool"])
        and (value in call[part] if part == "arguments" else value == call[part])
    )
    assert number
    return number


def votes_like(request: UUID, asked: dict[str, str]) -> int:
    """Verdicts of the person on the request; with `fast` those within three seconds alone."""
    votes = Vote.objects.filter(request=request, user=asked["person"])
    if "fast" in asked:
        votes = votes.filter(verdict__in=["approve", "edit"]).filter(
            Q(opened_at__isnull=True) | Q(created_at__lt=F("opened_at") + timedelta(seconds=3))
        )
    number = votes.count()
    assert number
    return number


def test_every_number_of_the_page_leads_to_as_many_rows(
    client: Client, login: Login, admin: User, history: Callable[[int], History]
) -> None:
    history(7).write(260)
    advance()
    login(client, admin)
    page = client.get("/insights/?period=year&step=month")
    assert page.status_code == 200
    found = re.findall(r'<a class="figure" href="([^"]+)">([\d,]+)', page.content.decode())
    names: set[str] = set()
    looked: dict[str, int] = {}
    kinds: Counter[tuple[str, ...]] = Counter()
    for href, number in found:
        url = unescape(href)
        asked = parse_qs(urlsplit(url).query)
        if url.startswith("/insights/"):
            continue
        if url not in looked:
            kinds[tuple(sorted(asked))] += 1
            if kinds[tuple(sorted(asked))] > SAMPLED:
                continue
            looked[url] = counted_behind(client, url)
        names |= asked.keys()
        assert looked[url] == int(number.replace(",", "")), url
    assert names >= {
        "result",
        "failure",
        "band",
        "retried",
        "intervened",
        "call",
        "error",
        "argument",
        "how",
    }
    assert names >= {"person", "version", "category", "fast", "deadline", "unpriced", "provisional"}


@pytest.mark.parametrize("name", ["admin", "auditor", "operator"])
def test_who_sees_figures_and_whose(
    client: Client, login: Login, request: pytest.FixtureRequest, counted: History, name: str
) -> None:
    login(client, request.getfixturevalue(name))
    page = client.get("/insights/?period=year").content.decode()
    document = client.get("/api/v1/insights?period=year").json()
    file = client.get("/insights/figures.csv?period=year").content.decode()
    people = name != "operator"
    assert ("High risk approved within 3 s" in page) is people
    assert ("/requests/?" in page) is people
    assert bool(document["people"]) is people
    assert ('"people"' in file) is people
    assert 'href="/insights/"' in page


@pytest.mark.parametrize("name", ["reviewer", "outsider"])
def test_others_are_told_who_can(
    client: Client, login: Login, request: pytest.FixtureRequest, name: str
) -> None:
    login(client, request.getfixturevalue(name))
    for address in ("/insights/", "/insights/figures.csv"):
        page = client.get(address)
        assert page.status_code == 403
        assert "Operators, admins and auditors" in page.content.decode()
    assert client.get("/api/v1/insights").status_code == 403
    assert 'href="/insights/"' not in client.get("/inbox/").content.decode()
    assert client.get("/insights/alerts/refund-desk/").status_code == 403


def test_page_and_api_and_file_say_the_same(
    client: Client, login: Login, auditor: User, counted: History
) -> None:
    login(client, auditor)
    query = "?period=year&step=week&agent=payables"
    document = client.get(f"/api/v1/insights{query}").json()
    report = client.get(f"/insights/{query}").context["report"]
    assert document["runs"]["ended"] == report.runs.ended.number > 0
    assert document["asked"]["agent"] == "payables"
    assert [each["name"] for each in document["by_agent"]] == ["payables"]
    assert (
        sum(point["runs"]["success"] for point in document["over_time"])
        == (document["runs"]["success"]["number"])
    )
    file = client.get(f"/insights/figures.csv{query}")
    rows = list(csv.DictReader(io.StringIO(file.content.decode())))
    ended = next(row for row in rows if (row["section"], row["figure"]) == ("runs", "ended"))
    assert int(ended["value"]) == report.runs.ended.number
    assert "attachment" in file["Content-Disposition"]


def test_a_cell_that_a_spreadsheet_would_run_is_defused(
    client: Client, login: Login, auditor: User, counted: History
) -> None:
    User.objects.filter(username="one").update(display_name="=HYPERLINK(1)")
    login(client, auditor)
    file = client.get("/insights/figures.csv?period=year").content.decode()
    assert '"\'=HYPERLINK(1)"' in file
    assert '"=HYPERLINK' not in file


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=2026-02-30", "since"),
        ("since=2026-03-01&until=2026-02-01", "until"),
        ("period=fortnight", "period"),
        ("since=2016-01-01&until=2016-12-31&step=hour", "step"),
        ("since=2001-01-01", "since"),
        ("since=2018-01-01&step=day", "step"),
        ("category=round", "category"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_field(
    client: Client, login: Login, auditor: User, query: str, field: str
) -> None:
    login(client, auditor)
    page = client.get(f"/insights/?{query}")
    assert page.status_code == 422
    assert field in page.context["form"].errors
    answer = client.get(f"/api/v1/insights?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "period_invalid")
    assert answer.json()["params"]["field"] == field


@pytest.mark.parametrize("agent", ["nobody", "a b", "*:", "\ufffd", "../people"])
def test_an_agent_that_there_is_not_has_no_figures_and_no_link(
    client: Client, login: Login, admin: User, counted: History, agent: str
) -> None:
    login(client, admin)
    page = client.get("/insights/", {"agent": agent})
    assert page.status_code == 200
    assert page.context["report"].runs.ended.number == 0
    assert "/insights/alerts/" not in page.content.decode()
    assert "/insights/alerts/payables/" in client.get("/insights/?agent=payables").content.decode()


def test_the_page_takes_few_statements_however_much_there_is(
    client: Client,
    login: Login,
    admin: User,
    counted: History,
    django_assert_max_num_queries: Any,
) -> None:
    login(client, admin)
    client.get("/insights/?period=year")
    with django_assert_max_num_queries(12):
        client.get("/insights/?period=year")


def test_numbers_of_people_are_those_of_their_verdicts(
    client: Client, login: Login, admin: User, counted: History
) -> None:
    login(client, admin)
    document = json.loads(client.get("/api/v1/insights?period=year").content)
    assert sum(each["verdicts"] for each in document["people"]) == len(counted.made.votes)

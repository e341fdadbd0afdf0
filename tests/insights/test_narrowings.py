"""What the API says is what a slow loop over all rows finds, for each narrowing and at the edges of days and months."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.models import User
from audit.clock import database_now
from insights.services.advance import advance
from tests.insights.direct import Direct
from tests.insights.history import AGENTS, BEGINS, ELSEWHERE, History
from tests.insights.test_roll_up import direct

Login = Callable[[Client, User], Client]
MIDNIGHT = (BEGINS + timedelta(days=60)).date()
HOWS = ("auto", "approved", "edited", "sent_back", "rejected", "stopped", "expired", "denied")
RESULTS = ("success", "corrected", "abstained", "stopped", "failed")


@dataclass(frozen=True)
class Part:
    """What of the slow loop is asked for."""

    found: Direct
    since: date
    until: date
    asked: dict[str, str]

    def takes(self, key: tuple[Any, ...]) -> bool:
        day, agent, version, tool = key[:4]
        told = {"agent": agent, "version": version, "tool": tool}
        told["category"] = AGENTS.get(agent, "")
        return self.since <= day <= self.until and all(
            told[name] == value for name, value in self.asked.items()
        )

    def numbers(self, measure: str) -> dict[str, int]:
        """By key."""
        numbers: Counter[str] = Counter()
        for key, (number, _) in self.found.figures.items():
            if key[4] == measure and self.takes(key):
                numbers[key[5]] += number
        return dict(numbers)

    def number(self, measure: str) -> int:
        return sum(self.numbers(measure).values())

    def total(self, measure: str) -> int:
        figures = self.found.figures.items()
        return sum(total for key, (_, total) in figures if key[4] == measure and self.takes(key))

    def of_tools(self, measure: str) -> list[dict[str, Any]]:
        """By tool and key, the most frequent first."""
        numbers: Counter[tuple[str, str]] = Counter()
        for key, (number, _) in self.found.figures.items():
            if key[4] == measure and self.takes(key):
                numbers[key[3], key[5]] += number
        rows = [{"tool": t, "name": name, "number": n} for (t, name), n in numbers.items()]
        return sorted(rows, key=lambda row: (-row["number"], row["tool"], row["name"]))

    def spans(self, measure: str) -> list[int]:
        spans = self.found.spans.items()
        return sorted(
            each
            for key, all_of in spans
            if key[4] == measure and self.takes(key)
            for each in all_of
        )

    def narrower(self, **more: str) -> Part:
        return Part(self.found, self.since, self.until, {**self.asked, **more})

    def people(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (*where, _), each in self.found.people.items():
            if self.takes(tuple(where)):
                found.update(each)
        return found


def share(number: int, of: int) -> dict[str, Any]:
    return {"number": number, "of": of, "share": number / of if of else None}


def full(names: Iterable[str], found: dict[str, int]) -> dict[str, int]:
    return {name: found.get(name, 0) for name in names}


def check_time(said: dict[str, Any], spans: list[int]) -> None:
    """Means exactly, quantiles within a tenth of one of the values."""
    assert said["number"] == len(spans)
    if not spans:
        assert said["mean"] is said["median"] is said["p90"] is None
        return
    assert said["mean"] == pytest.approx(sum(spans) / len(spans) / 1_000)
    for name, place in (("median", 0.5), ("p90", 0.9)):
        exact = spans[max(0, -int(-place * len(spans) // 1) - 1)] / 1_000
        # Whatever is shorter than the first edge is said to be half of it.
        assert said[name] == pytest.approx(exact, rel=0.101, abs=0.051), name


def check_runs(said: dict[str, Any], part: Part) -> None:
    results, ended = part.numbers("result"), part.number("result")
    good, cost = results.get("success", 0), part.total("result")
    intervened = part.number("intervened")
    assert said["started"] == part.number("started")
    assert (said["ended"], said["results"]) == (ended, full(RESULTS, results))
    assert said["success"] == share(good, ended)
    assert said["provisional"] == part.number("provisional")
    assert said["cost_micros"] == cost
    assert said["cost_of_success_micros"] == (cost // good if good else None)
    assert said["unpriced"] == part.number("unpriced")
    bands = part.numbers("band")
    for band, each in said["success_by_steps"].items():
        with_success, other = (bands.get(f"{band} {word}", 0) for word in ("success", "other"))
        assert each == share(with_success, with_success + other)
    assert said["retried"] == share(part.number("retried"), ended)
    assert said["attempts_repeated"] == part.total("retried")
    assert said["intervened"] == share(intervened, ended)
    mean = part.total("intervened") / intervened / 1_000 if intervened else None
    assert said["mean_seconds_to_intervention"] == (mean if mean is None else pytest.approx(mean))
    assert said["failures"] == part.numbers("failure")
    check_time(said["seconds_to_resolution"], part.spans("resolved"))
    check_time(said["seconds_to_resolution_without_waiting"], part.spans("worked"))


def check_rows(rows: list[dict[str, Any]], part: Part, name: str) -> None:
    """What tables tell apart is what is told when it is asked for alone."""
    for row in rows:
        each = part.narrower(**{name: row["name"]})
        calls = each.numbers("call")
        assert row["calls"] == sum(calls.values())
        assert row["auto"] == share(calls.get("auto", 0), row["calls"])
        assert row["errors"] == each.number("error")
        assert row["requests_closed"] == each.number("decided")
        if row["success"] is not None:
            ended = each.number("result")
            assert row["success"] == share(each.numbers("result").get("success", 0), ended)
            assert row["cost_micros"] == each.total("result")
            assert row["intervened"] == share(each.number("intervened"), ended)


def check(said: dict[str, Any], part: Part) -> None:
    if "tool" in part.asked:
        assert said["runs"] is None
    else:
        check_runs(said["runs"], part)
    assert said["calls"] == full(HOWS, part.numbers("call"))
    assert said["errors"] == part.of_tools("error")
    assert said["arguments"] == part.of_tools("argument")
    requests = said["requests"]
    assert requests["closed"] == part.numbers("decided")
    deadlines = part.numbers("deadline")
    assert requests["deadlines_met"] == share(deadlines.get("met", 0), sum(deadlines.values()))
    check_time(requests["seconds_to_decide"], part.spans("to_decide"))
    check_time(requests["seconds_to_first_look"], part.spans("to_look"))
    for name in ("agent", "version", "category", "tool"):
        check_rows(said[f"by_{name}"], part, name)
    for point in said["over_time"]:
        first, last = (date.fromisoformat(point[name]) for name in ("first", "last"))
        here = Part(part.found, first, last, part.asked)
        assert point["calls"] == full(HOWS, here.numbers("call"))
        assert point["runs"] == full(RESULTS, here.numbers("result"))
        assert point["cost_micros"] == here.total("result")
    people = part.people()
    sums = [each["approved"] for each in said["people"]]
    assert sum(each["of"] for each in sums) == people["verdicts"]
    assert sum(each["number"] for each in sums) == people["approved"]
    fast = [each["high_risk_within_three_seconds"] for each in said["people"]]
    assert sum(each["number"] for each in fast) == people["fast"]
    assert sum(each["of"] for each in fast) == people["risky_approved"]


def narrowings(found: Direct) -> Iterable[dict[str, str]]:
    versions = sorted({version for _, agent, version, *_ in found.figures if agent == "payables"})
    yield {}
    yield from ({"agent": agent} for agent in (*AGENTS, ELSEWHERE, "nobody"))
    yield from ({"version": version} for version in versions)
    yield from ({"category": category} for category in ("workflow", "bounded", "open"))
    yield from ({"tool": tool} for tool in ("issue_refund", "read_order", "wire"))
    yield {"agent": "refund-desk", "tool": "issue_refund"}
    yield {"agent": "refund-desk", "category": "workflow"}
    yield {"version": versions[0], "category": "workflow", "tool": "read_order"}


def test_each_narrowing_tells_what_a_loop_over_all_rows_finds(
    client: Client, login: Login, auditor: User, history: Callable[[int], History]
) -> None:
    history(11).write(240)
    advance()
    found, today = direct(), database_now().date()
    # All of it, with whole months; both sides of a midnight; from the middle of a month to that of another.
    periods = [
        (BEGINS.date(), today, "month"),
        (MIDNIGHT, MIDNIGHT, "day"),
        (MIDNIGHT - timedelta(days=1), MIDNIGHT - timedelta(days=1), "day"),
        (MIDNIGHT - timedelta(days=20), MIDNIGHT + timedelta(days=25), "week"),
    ]
    login(client, auditor)
    for asked in narrowings(found):
        for since, until, step in periods:
            query = urlencode({"since": since, "until": until, "step": step, **asked})
            answer = client.get(f"/api/v1/insights?{query}")
            assert answer.status_code == 200, query
            check(answer.json(), Part(found, since, until, asked))
    closed = Part(found, MIDNIGHT, MIDNIGHT, {"agent": ELSEWHERE}).numbers("decided")
    assert closed == {"approved": 1, "expired": 1} or closed == {"edited": 1, "expired": 1}


def test_where_there_is_nothing_yet_page_and_api_and_file_say_so(
    client: Client, login: Login, auditor: User
) -> None:
    login(client, auditor)
    for counted in (False, True):
        page = client.get("/insights/?period=year")
        assert page.status_code == 200
        assert ("Nothing is counted yet" in page.content.decode()) is not counted
        said = client.get("/api/v1/insights?period=year").json()
        assert (said["runs"]["ended"], said["runs"]["success"]["share"]) == (0, None)
        assert (said["by_agent"], said["people"], said["errors"]) == ([], [], [])
        assert client.get("/insights/figures.csv?period=year").status_code == 200
        advance()

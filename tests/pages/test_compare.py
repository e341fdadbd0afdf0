# ruff: noqa: F811 - fixtures are imported, and taken by name
"""Two runs side by side: where they part, and nothing of either that the reader may not see."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.runner import advance
from agents.services.start_run import start_run
from approvals.vocabulary import Verdict
from tests.harness.people import person
from tests.model_server import call, calls, completion, final
from tests.pages.run_fixtures import PAY, READ, Counter, Login, desk, steady  # noqa: F401
from tests.pages.run_reading import text_of
from tests.pages.test_runs_timeline import vault  # noqa: F401


def beside(client: Client, one: Run, other: Run, more: str = "") -> Any:
    return client.get(f"/runs/compare/?run={one.pk}&run={other.pk}{more}")


def pair_of(page: Any, tool: str) -> Any:
    return next(pair for pair in page.context["pairs"] if pair.one and pair.one.step.name == tool)


def test_the_steps_of_two_runs_stand_side_by_side_with_what_differs(
    desk: Client, counter: Counter, reviewer: User
) -> None:
    read = calls(call("read_balance", READ))
    one = counter.start([read, calls(call("pay", PAY)), final(summary="Paid.")])
    counter.decide(counter.request(one), Verdict.APPROVE, reviewer)
    one = counter.go_on(one)
    other = counter.start(
        [read, read, calls(call("pay", {**PAY, "amount": "7.00"})), final(summary="Not paid.")]
    )
    counter.decide(counter.request(other), Verdict.REJECT, reviewer, reason="Too little.")
    other = counter.go_on(other)
    page = beside(desk, one, other)
    text = text_of(page)
    told = {each.label: (each.one, each.other) for each in pair_of(page, "pay").differences}
    assert told["Argument: amount"] == ("42.00", "7.00")
    assert told["Decision"] == ("Approved by reviewer", "Rejected by reviewer")
    assert told["What the person wrote"] == ("", "Too little.")
    assert told["How it ended"] == ("Done", "Rejected")
    assert "They part at step" in text
    assert sum(pair.one is None for pair in page.context["pairs"]) == 2
    assert "Summary: Paid." in text
    assert "Summary: Not paid." in text
    Run.objects.filter(pk=one.pk).update(cost_micros=1_500_000, unpriced_calls=0)
    german = text_of(desk.get(page.wsgi_request.get_full_path(), headers={"Accept-Language": "de"}))
    for word in ("Task", "Started", "Answer", "Active", "Cost", "First", "U+00A0"):
        assert word not in german
    assert "1,50 $" in german
    only = beside(desk, one, other, "&only=differences")
    assert len(only.context["pairs"]) < len(page.context["pairs"])
    assert all(not pair.same for pair in only.context["pairs"])


def test_a_moment_is_told_to_the_second_or_as_finely_as_tells_both_apart(
    desk: Client, counter: Counter
) -> None:
    one, soon, at_once, later = (
        counter.start([calls(call("pay", {**PAY, "account": f"2026-11-22T10:41:{seconds}Z"}))])
        for seconds in ("56.040838", "56.9", "56.0409", "58.5")
    )

    def accounts(other: Run) -> tuple[str, str]:
        found = pair_of(beside(desk, one, other), "pay").differences
        return next((d.one, d.other) for d in found if d.label == "Argument: account")

    assert accounts(later) == ("22 Nov 2026, 10:41:56 UTC", "22 Nov 2026, 10:41:58 UTC")
    assert accounts(soon) == ("22 Nov 2026, 10:41:56.040 UTC", "22 Nov 2026, 10:41:56.900 UTC")
    assert [said[-12:-4] for said in accounts(at_once)] == ["6.040838", "6.040900"]


def test_a_run_beside_one_like_it_differs_in_nothing(desk: Client, counter: Counter) -> None:
    script = [calls(call("read_balance", READ)), final(summary="ok")]
    page = beside(desk, counter.start(list(script)), counter.start(list(script)))
    assert "Nothing differs in their steps that you may see." in text_of(page)


def test_one_run_leads_to_a_choice_none_to_the_list_and_what_one_may_not_see_is_not_there(
    desk: Client, client: Client, login: Login, counter: Counter
) -> None:
    one, other = (counter.start([final(summary="ok")]) for _ in range(2))
    choice = desk.get(f"/runs/compare/?run={one.pk}")
    assert "Compare with another run" in text_of(choice)
    assert "The same task" in text_of(choice)
    assert f"run={one.pk}&amp;run={other.pk}" in choice.content.decode()
    three = f"/runs/compare/?run={one.pk}&run={other.pk}&run={'0' * 8}-0000-4000-8000-{'0' * 12}"
    assert "Two runs can be compared." in text_of(desk.get(three))
    assert desk.get("/runs/compare/")["Location"] == "/runs/"
    for wrong in ("x", "00000000-0000-4000-8000-000000000000"):
        assert desk.get(f"/runs/compare/?run={one.pk}&run={wrong}").status_code == 404
    marked = desk.get("/runs/").content.decode()
    assert f'name="run" value="{one.pk}" form="compare"' in marked
    assert f"/runs/compare/?run={one.pk}" in desk.get(f"/runs/{one.pk}/").content.decode()
    login(client, person("stranger", "reviewer"))
    assert beside(client, one, other).status_code == 404


def test_a_sensitive_argument_stays_unseen_beside_another_run(
    client: Client, login: Login, counter: Counter, vault: str
) -> None:
    runs = []
    for name in ("MALLORY", "TRUDY"):
        asked = {"recipient": name, "amount": 7, "confidence": 0.9, "rationale": f"{name} asks"}
        said = completion({"content": f"To {name}!", "tool_calls": [call("transfer", asked)]})
        counter.model.follow([said])
        run, _ = start_run(
            agent=vault, input="Send it.", caller=Caller.of_session(counter.operator)
        )
        advance(run.pk, owner="test", stopping=lambda: False)
        runs.append(run)
    login(client, counter.operator)
    page = beside(client, *runs)
    markup = page.content.decode()
    assert "MALLORY" not in markup
    assert "TRUDY" not in markup
    labels = {each.label for each in pair_of(page, "transfer").differences}
    assert "Argument: recipient" not in labels
    assert "Some of it may not be shown to you." in text_of(page)
    login(client, person("trusted", "operator", "sensitive-reader"))
    told = {
        e.label: (e.one, e.other) for e in pair_of(beside(client, *runs), "transfer").differences
    }
    assert told["Argument: recipient"] == ("MALLORY", "TRUDY")


def test_comparing_longer_runs_takes_no_more_queries(desk: Client, counter: Counter) -> None:
    short = [counter.start([final(summary="ok")]) for _ in range(2)]
    script = [*(calls(call("read_balance", READ)) for _ in range(8)), final(summary="ok")]
    long = [counter.start(list(script)) for _ in range(2)]
    beside(desk, *short)
    counts = []
    for runs in (short, long):
        with CaptureQueriesContext(connection) as asked:
            assert beside(desk, *runs).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 24


@pytest.mark.parametrize("query", ["?run=", "?run=a&run=b&run=c"])
def test_an_address_that_names_no_run_is_not_found(desk: Client, query: str) -> None:
    assert desk.get(f"/runs/compare/{query}").status_code == 404

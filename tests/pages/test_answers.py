# ruff: noqa: F811 - fixtures are imported, and taken by name
"""A final answer that the journal does not bear out, on its page and on the page of its run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from agents import registry
from agents.models import Run
from approvals.models import ApprovalRequest
from approvals.vocabulary import Kind, Verdict
from tests.agents.answering import Report, answers, reads, reporting, transfers
from tests.agents.bank import Bank
from tests.agents.conftest import host
from tests.harness.looks import View, troubles_of
from tests.model_server import ModelServer
from tests.pages.live_desk import Desk
from tests.pages.live_desk import desk as live  # noqa: F401
from tests.pages.run_fixtures import Counter, Login, steady  # noqa: F401
from tests.pages.run_reading import text_of

OUTPUT = {"outcome": "paid", "amount": "420.00", "summary": "Your <b>€420.00</b> is on its way."}


@pytest.fixture
def reports(bank: Bank) -> Iterator[None]:
    """The teller who reports what was paid."""
    host(reporting(bank))
    yield
    registry.unregister("teller")


def lied(counter: Counter, reviewer: User) -> Run:
    """A run that paid 42 and says that it paid 420."""
    run = counter.start([reads(), transfers(), answers("r1", "t1", **OUTPUT)])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    return counter.go_on(run)


def posted(request: ApprovalRequest, verdict: str, **fields: str) -> dict[str, str]:
    return {
        "verdict": verdict,
        "revision": str(request.revision),
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": uuid4().hex,
        **fields,
    }


def test_the_page_of_a_lie_shows_both_sides_what_was_done_and_the_answer(
    client: Client, login: Login, counter: Counter, reports: None, reviewer: User
) -> None:
    run = lied(counter, reviewer)
    page = login(client, reviewer).get(f"/requests/{counter.request(run).pk}/")
    text = text_of(page)
    assert "Teller claims what the journal does not bear out" in text
    assert "The answer says Amount: 420.00" in text
    assert "The journal says Transfer, step 4, gave 42.00." in text
    assert "Transfer: 42.00, A1 · step 4: happened" in text
    assert "Accept as it is Correct Send back" in text
    assert b"<b>" not in page.content


def test_an_answer_is_corrected_field_by_field_without_a_script(
    client: Client, login: Login, counter: Counter, reports: None, reviewer: User
) -> None:
    run = lied(counter, reviewer)
    request = counter.request(run)
    login(client, reviewer)
    form = client.get(f"/requests/{request.pk}/?mode=correct").content.decode()
    assert 'name="output.amount"' in form
    assert 'name="output.outcome"' in form
    fields = {"output.outcome": '"paid"', "output.summary": "€42.00 is on its way."}
    wrong = posted(request, "correct", **fields, **{"output.amount": "-1"})
    refused = client.post(f"/requests/{request.pk}/decide/", wrong)
    assert refused.status_code == 422
    assert "greater than 0" in refused.content.decode()
    assert "€42.00 is on its way." in refused.content.decode()
    right = posted(request, "correct", **fields, **{"output.amount": "42.00"})
    assert client.post(f"/requests/{request.pk}/decide/", right).status_code == 302
    assert counter.go_on(run).output == {
        "outcome": "paid",
        "amount": "42.00",
        "summary": "€42.00 is on its way.",
    }
    text = text_of(client.get(f"/runs/{run.pk}/"))
    assert "What was done Pay €42.00 to A1 Happened, approved by reviewer, step 4" in text
    assert "corrected the answer." in text


@pytest.mark.parametrize(
    ("verdict", "state"), [("accept", "succeeded"), ("send_back", "succeeded")]
)
def test_an_answer_is_accepted_or_sent_back_without_a_script(
    client: Client,
    login: Login,
    counter: Counter,
    model: ModelServer,
    reports: None,
    reviewer: User,
    verdict: str,
    state: str,
) -> None:
    run = lied(counter, reviewer)
    request = counter.request(run)
    model.follow([answers("t1", amount="42.00")])
    fields = {"reason": "It was 42."} if verdict == "send_back" else {}
    login(client, reviewer)
    assert (
        client.post(
            f"/requests/{request.pk}/decide/", posted(request, verdict, **fields)
        ).status_code
        == 302
    )
    run = counter.go_on(run)
    assert run.state == state
    assert (run.output or {})["amount"] == ("42.00" if fields else "420.00")
    text = text_of(client.get(f"/runs/{run.pk}/"))
    assert "Amount: 420.00 Transfer, step 4, gave 42.00." in text


def test_who_started_the_run_sees_the_answer_and_is_offered_no_verdict(
    client: Client, login: Login, counter: Counter, reports: None, reviewer: User, operator: User
) -> None:
    run = lied(counter, reviewer)
    page = login(client, operator).get(f"/requests/{counter.request(run).pk}/").content.decode()
    assert 'value="accept"' not in page


def question() -> dict[str, Any]:
    return {
        "question": "Accept the answer, correct it, or send it back?",
        "claims": [
            {
                "code": "differs",
                "says": "Amount: 420.00",
                "journal": "Transfer, step 4, gave 42.00.",
                "step": 4,
            },
            {
                "code": "unknown_call",
                "says": f"It relies on a call “{'x' * 60}”.",
                "journal": "No call of this run has that name.",
                "step": None,
            },
        ],
        "output": OUTPUT,
        "schema": Report.model_json_schema(),
        "done": [{"step": 4, "title": "Transfer: A1, 42.00", "stands": "happened"}],
    }


@pytest.mark.timeout(400)
def test_the_page_of_a_lie_is_sound_in_both_themes_and_as_narrow_as_a_phone(
    live: Desk, reviewer: User
) -> None:
    request = live.request(kind=Kind.RESULT, question=question())
    found = []
    views = [View(scheme, width) for scheme in ("light", "dark") for width in (1280, 390, 320)]
    page = live.context_for(reviewer, live.site.url).new_page()
    for mode in ("", "correct", "send_back"):
        page.goto(f"/requests/{request.pk}/?tab=team&mode={mode}")
        found += troubles_of(page, views)
    assert found == []

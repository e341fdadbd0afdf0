"""A run of five hundred steps over the real engine: inside its budget, with its task, at the same cost each time."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pydantic import BaseModel, ConfigDict

from accounts.models import User
from agents.authoring import Agent, Budget, Risk, ToolContext, Trust, tool
from agents.context import room_of
from agents.conversations import read_requests
from agents.journal import Journals
from agents.journal_schemas import CONTEXT
from agents.models import Run, Step
from agents.services.call_model import digest_of
from agents.shortening import tokens_of
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.saying import say
from tests.model_server import Answer, ModelServer, call, calls, final, judged
from tests.pages.run_reading import text_of

TASK = "Read every page of the ledger and say what stands on the last one."
PAGES = 250


class Page(BaseModel):
    """A page of the ledger."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    number: int


@tool(risk=Risk.LOW, trust=Trust.UNTRUSTED)
def read_page(ctx: ToolContext, page: Page) -> str:
    """Read a page of the ledger."""
    return f"Page {page.number}\n" + f"line of page {page.number}; " * 70


def reader(bank: Bank, **changes: Any) -> Agent:
    """An agent with a small context and large caps."""
    budget = Budget(steps=2_000, model_calls=1_000, tool_calls=1_000, tokens=100_000_000)
    return teller(bank, tools=[read_page], budget=budget, context_tokens=8_000, **changes)


class Reader:
    """A model that reads one page after the other; it keeps what the requests came to."""

    def __init__(self, pages: int = PAGES) -> None:
        self.pages, self.asked = pages, 0

    def __call__(self, request: dict[str, Any]) -> Answer:
        self.asked += 1
        if self.asked > self.pages:
            return final(summary="It is read.")
        # Servers give ids of their own; they are all different.
        return calls(call("read_page", judged({"number": self.asked})))


@pytest.mark.timeout(300)
def test_five_hundred_steps_stay_inside_the_budget_and_keep_the_task(
    counter: Counter, bank: Bank, model: ModelServer, client: Client, login: Any, operator: User
) -> None:
    agent = reader(bank)
    host(agent)
    run = counter.start(Reader(), TASK)
    assert (run.state, run.step_count) == ("succeeded", 2 * PAGES + 1)
    room = room_of(agent)
    for request in model.requests:
        assert set(request) == {"model", "messages", "tools"}
        assert sum(map(tokens_of, request["messages"])) <= room
        assert request["messages"][1]["content"] == TASK
    assert max(len(request["messages"]) for request in model.requests) < 200
    # It is read back from the journal exactly as it was sent, digest and all.
    steps = list(Step.objects.filter(run=run, kind="model").in_order())
    whole = read_requests(run, [step.seq for step in steps])
    for step, sent in zip(steps, model.requests, strict=True):
        del sent["model"]
        assert whole[step.seq] == sent
        assert step.input_digest == digest_of(sent)
    # What was left out is in the trace, and said in the timeline.
    assert (steps[0].schema, steps[0].request.get(CONTEXT)) == (2, None)  # type: ignore[union-attr]
    noted = steps[-1].request[CONTEXT]  # type: ignore[index]
    assert (steps[-1].schema, noted["room"]) == (5, room)
    assert noted["tokens"] == sum(map(tokens_of, model.requests[-1]["messages"]))
    text = text_of(login(client, operator).get(f"/runs/{run.pk}/"))
    assert f"{noted['exchanges_listed']} earlier exchanges as a list." in text


@pytest.mark.timeout(300)
def test_a_call_of_a_long_run_takes_no_more_statements_than_one_of_a_short_run(
    counter: Counter, bank: Bank
) -> None:
    host(reader(bank))
    taken = []
    for pages in (20, 50, 80):
        with CaptureQueriesContext(connection) as captured:
            run = counter.start(Reader(pages), TASK)
        assert run.state == "succeeded"
        taken.append(len(captured))
    # What a worker looks at by the clock may fall into either: less than one more for each call.
    assert (taken[2] - taken[1]) - (taken[1] - taken[0]) < 30


def test_what_does_not_fit_at_all_is_shown_to_a_person(
    counter: Counter, bank: Bank, operator: User, reviewer: User
) -> None:
    host(reader(bank))
    asked = call("ask_human", {"question": "Which page?", "answer_type": "text"})
    run = counter.start([calls(asked), final(summary="Well.")], TASK)
    for _ in range(4):
        say(run, operator, "m" * 4_000)
    counter.decide(counter.request(run), Verdict.ANSWER, reviewer, answer="The last.")
    run = counter.go_on(run)
    request = counter.request(run)
    assert (run.state, request.kind) == ("waiting", "attention")
    assert "what it must be sent does not fit its model" in request.title
    counter.decide(request, Verdict.STOP, reviewer)
    assert Run.objects.get(pk=run.pk).state == "cancelled"


def test_a_task_that_does_not_fit_asks_no_model(
    counter: Counter, bank: Bank, model: ModelServer
) -> None:
    host(reader(bank))
    run = counter.start([final(summary="Well.")], "word " * 3_999)
    assert (run.state, counter.request(run).kind, model.requests) == ("waiting", "attention", [])


def test_a_journal_that_is_read_again_holds_every_step_once_and_sees_what_changed(
    counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank))
    pay = call("pay", judged({"account": "A1", "amount": "42.00"}))
    run = counter.start([calls(call("read_balance", judged({"account": "A1"}))), calls(pay)])
    journals = Journals(run.pk)
    assert [step.seq for step in journals.read().steps] == [1, 2, 3, 4]
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    again = journals.read()
    assert [step.seq for step in again.steps] == [1, 2, 3, 4]
    assert (again.steps[-1].resolution or {})["kind"] == "approved"

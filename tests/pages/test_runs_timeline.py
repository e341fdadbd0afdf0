# ruff: noqa: F811 - fixtures are imported, and taken by name
"""The page of a run: every step in plain words, and nothing that the reader may not see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pydantic import BaseModel, ConfigDict
from pytest_django import Settings

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.authoring import (
    Agent,
    Budget,
    Category,
    Effect,
    EffectClass,
    Preview,
    Risk,
    Terminal,
    ToolContext,
    tool,
)
from agents.masking import SENSITIVE
from agents.models import Run, Step
from agents.runner import advance
from agents.services.operate_agent import disable_agent
from agents.services.start_run import start_run
from agents.sweep import sweep_once
from agents.templatetags.step_rows import step_when
from agents.windows import SIZE
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import TEST
from tests.harness.people import person
from tests.model_server import ModelServer, call, calls, completion, error, final, judged, says
from tests.pages.long_runs import long_run
from tests.pages.run_fixtures import PAY, READ, Counter, Login, desk, host, steady  # noqa: F401
from tests.pages.run_reading import step_of, text_of, words


def page_of(client: Client, run: Run) -> Any:
    return client.get(f"/runs/{run.pk}/")


def test_a_finished_run_shows_its_answer_and_every_step_in_order(
    desk: Client, counter: Counter
) -> None:
    run = counter.start([calls(call("read_balance", READ)), final(summary="It is 100.00.")])
    page = page_of(desk, run)
    assert page.context["state"] == "Succeeded"
    assert "Summary It is 100.00." in text_of(page)
    titles = [row.title for row in page.context["timeline"].rows]
    assert titles == ["Asked the model", "Read balance", "Asked the model", "Gave its final answer"]
    read = step_of(page, 2)
    assert "Agent says the ticket says so Unverified: the agent's own words." in read
    assert "The gate allowed it: confidence 0.95, threshold 0.80." in read
    assert "Balance 100.00" in read
    assert [row.indented for row in page.context["timeline"].rows] == [False, True, False, True]


def test_a_waiting_run_leads_to_what_it_waits_for(desk: Client, counter: Counter) -> None:
    run = counter.start([calls(call("pay", PAY))])
    page = page_of(desk, run)
    request = counter.request(run)
    now = text_of(page)[: text_of(page).index("Timeline")]
    assert "Waits for: Pay €42.00 to A1" in now
    assert page.content.decode().count(f"/{request.pk}/") == 3
    step = step_of(page, 2)
    assert "Waiting for a person" in step
    assert "The gate asked for a person" in step
    assert "Arguments Amount 42.00 Account A1" in step
    (row,) = page.context["timeline"].waiting
    assert [bar.wait for bar in row.bars] == [True]
    assert row.worked_seconds is None


def test_a_rejected_call_says_who_and_why(desk: Client, counter: Counter, reviewer: User) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Not paid.")])
    counter.decide(counter.request(run), Verdict.REJECT, reviewer, reason="Wrong account.")
    run = counter.go_on(run)
    step = step_of(page_of(desk, run), 2)
    assert "Rejected by reviewer: Wrong account." in step
    assert "It did not run. Do not propose it again." in step
    assert "Effect" not in step


def test_a_call_that_was_sent_back_says_so(desk: Client, counter: Counter, reviewer: User) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.SEND_BACK, reviewer, reason="Use A2.")
    step = step_of(page_of(desk, counter.go_on(run)), 2)
    assert "Pay €42.00 to A1 Sent back" in step
    assert "Sent back by reviewer: Use A2." in step


def test_an_edited_call_shows_what_a_person_changed(
    desk: Client, counter: Counter, bank: Bank, reviewer: User, second_reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY)), final(summary="Paid.")])
    changed = {"account": "A1", "amount": "40.00"}
    counter.decide(counter.request(run), Verdict.EDIT, reviewer, arguments=changed)
    counter.decide(counter.request(run), Verdict.APPROVE, second_reviewer)
    run = counter.go_on(run)
    assert bank.sent[0][2] == "40.00"
    step = step_of(page_of(desk, run), 2)
    assert "A person changed the arguments before it ran." in step
    assert "Amount Before: 42.00 After: 40.00" in step
    assert "Approved by second-reviewer" in step
    assert "Happened · sent once" in step
    assert bank.sent[0][0] in step


def test_a_call_that_the_tool_refused_is_shown_as_failed(
    desk: Client, counter: Counter, bank: Bank, reviewer: User
) -> None:
    def refuse() -> None:
        raise Terminal("The account is closed.")

    bank.trouble = refuse
    run = counter.start([calls(call("pay", PAY)), final(summary="Not paid.")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    step = step_of(page_of(desk, counter.go_on(run)), 2)
    assert "Failed" in step
    assert "The account is closed." in step
    assert "Did not happen · sent once" in step


def test_a_call_that_the_model_got_wrong_shows_what_it_wrote(
    desk: Client, counter: Counter
) -> None:
    run = counter.start([calls(call("pay", "{not json")), final(summary="ok")])
    step = step_of(page_of(desk, run), 2)
    assert "Failed" in step
    assert "The arguments are not plain JSON" in step
    assert "{not json" in text_of(desk.get(f"/runs/{run.pk}/steps/2/"))


def test_a_sleeping_run_says_what_failed_and_when_it_tries_again(
    desk: Client, counter: Counter
) -> None:
    run = counter.start(lambda _request: error(503))
    page = page_of(desk, run)
    assert run.wake_at is not None
    again = f"tries again at {run.wake_at:%H:%M}"
    assert page.context["state"] == "Waiting to retry"
    now = text_of(page)[: text_of(page).index("Timeline")]
    assert f"The model server failed (503). It {again} ." in now
    step = step_of(page, 1)
    assert f"It {again}" in step
    assert step.count("The model server failed (503). after") == 3
    assert step.count("; tried again") == 2


def test_attempts_that_failed_before_one_that_did_not_are_told(
    desk: Client, counter: Counter
) -> None:
    run = counter.start([error(500), error(429), final(summary="ok")])
    step = step_of(page_of(desk, run), 1)
    assert "2 attempts failed first: The model server failed (500)." in step
    assert "The model server asks us to slow down (429)." in step


def test_a_model_that_only_talks_is_quoted_as_unverified(desk: Client, counter: Counter) -> None:
    run = counter.start([says("I have paid everything."), final(summary="ok")])
    step = step_of(page_of(desk, run), 1)
    assert "The model says I have paid everything. Unverified: the model's own words." in step
    assert "It answered in words and called no tool." in step


def test_a_question_and_its_answer_stand_together(
    desk: Client, counter: Counter, reviewer: User
) -> None:
    asked = {"question": "Which account?", "answer_type": "text"}
    run = counter.start([calls(call("ask_human", asked)), final(summary="ok")])
    assert "Asked a person Which account?" in step_of(page_of(desk, run), 2)
    counter.decide(counter.request(run), Verdict.ANSWER, reviewer, answer="A5")
    step = step_of(page_of(desk, counter.go_on(run)), 2)
    assert "The answer: A5" in step
    assert "Answered by reviewer" in step


def test_an_effect_in_doubt_says_that_nobody_knows_and_what_was_found(
    desk: Client, counter: Counter, bank: Bank, reviewer: User
) -> None:
    def vanish() -> None:
        raise ConnectionResetError

    bank.trouble = vanish
    run = counter.start([calls(call("wire", PAY)), final(summary="ok")])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    page = page_of(desk, run)
    assert "Unknown; a person looks · sent once" in step_of(page, 2)
    assert "Nobody knows whether it happened: wire" in step_of(page, 3)
    counter.decide(counter.request(run), Verdict.HAPPENED, reviewer)
    run = counter.go_on(run)
    page = page_of(desk, run)
    assert "A person found that it happened." in step_of(page, 3)
    assert "Happened · sent once" in step_of(page, 2)


def test_a_reached_limit_and_its_extension_are_told(
    desk: Client, counter: Counter, bank: Bank, reviewer: User
) -> None:
    host(teller(bank, budget=Budget(model_calls=2)))
    run = counter.start(lambda _request: calls(call("read_balance", READ)))
    page = page_of(desk, run)
    row = page.context["timeline"].rows[-1]
    assert "Reached its limit of model calls It has asked its model 2 of 2 times." in step_of(
        page, row.step.seq
    )
    counter.decide(counter.request(run), Verdict.EXTEND, reviewer, caps={"model_calls": 1})
    run = counter.go_on(run)
    assert "A person raised the limit: model calls by 1." in step_of(
        page_of(desk, run), row.step.seq
    )


def test_what_tainted_the_run_is_named_and_linked(desk: Client, counter: Counter) -> None:
    run = counter.start([calls(call("read_letter", READ)), final(summary="ok")])
    page = page_of(desk, run)
    assert "It has read text that nobody vouches for, from “Read letter” ." in text_of(page)
    assert '<a href="#step-2">“Read letter”</a>' in page.content.decode()
    assert "From outside: unverified" in step_of(page, 2)


def test_a_run_of_a_switched_off_agent_says_why_it_stands_still(
    desk: Client, counter: Counter, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    disable_agent(slug="teller", reason="The bank is closed.", caller=TEST)
    text = text_of(page_of(desk, run))
    assert "Its agent is switched off" in text
    assert "Why: The bank is closed." in text


def test_an_approval_that_can_still_be_taken_back_says_until_when(
    desk: Client, counter: Counter, reviewer: User
) -> None:
    run = counter.start([calls(call("pay", PAY))])
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    later = F("created_at") + timedelta(hours=1)
    Run.objects.filter(pk=run.pk).update(ready_at=later)
    text = text_of(page_of(desk, run))
    assert "The approval can be taken back for a moment, then it goes on. It goes on at" in text
    assert "Approved" in step_of(page_of(desk, run), 2)


def test_invisible_characters_are_made_visible_wherever_an_agent_writes(
    desk: Client, counter: Counter
) -> None:
    tricky = "A1\u202e\u200b"
    payment = {**judged({"account": tricky, "amount": "42.00"}), "rationale": "no\u2060thing"}
    run = counter.start([calls(call("pay", payment))])
    for path in ("", "steps/2/", "steps/1/"):
        markup = desk.get(f"/runs/{run.pk}/{path}").content.decode()
        for hidden in ("\u202e", "\u200b", "\u2060"):
            assert hidden not in markup
    markup = page_of(desk, run).content.decode()
    assert "U+202E" in markup
    assert "U+2060" in markup


def test_markup_in_what_an_agent_writes_stays_text(desk: Client, counter: Counter) -> None:
    nasty = "<script>alert(1)</script>"
    run = counter.start([calls(call("abstain", {"reason": nasty}))], nasty)
    for path in ("/runs/", f"/runs/{run.pk}/", f"/runs/{run.pk}/steps/1/"):
        assert nasty not in desk.get(path).content.decode()
    assert run.state == "succeeded"


# -- raw data -------------------------------------------------------------------------------------


def test_a_step_opens_its_raw_request_and_response(
    desk: Client, counter: Counter, model: ModelServer
) -> None:
    run = counter.start([calls(call("read_balance", READ)), final(summary="ok")])
    whole = text_of(desk.get(f"/runs/{run.pk}/steps/3/"))
    assert "You serve at the counter of a bank." in whole
    assert '"finish_reason": "tool_calls"' in whole
    fragment = desk.get(f"/runs/{run.pk}/steps/3/", headers={"HX-Request": "true"})
    assert fragment.content.decode().startswith('<div class="raw-pair">')
    assert desk.get(f"/runs/{run.pk}/steps/99/").status_code == 404
    # The conversation is long and stands in each call again: the timeline leaves it out.
    assert "You serve at the counter" not in page_of(desk, run).content.decode()


# -- what may not be seen -------------------------------------------------------------------------


@pytest.fixture
def hidden_scores(settings: Settings, model: ModelServer) -> None:
    """Every score is secret until the call is decided."""
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"hidden_score_rate": 1.0})


def test_a_secret_score_stands_nowhere_until_the_call_is_settled(
    desk: Client, counter: Counter, hidden_scores: None, reviewer: User
) -> None:
    telling = {**PAY, "confidence": 0.8765}
    run = counter.start([calls(call("pay", telling)), final(summary="ok")])
    for path in ("", "steps/", "steps/1/", "steps/2/"):
        markup = desk.get(f"/runs/{run.pk}/{path}").content.decode()
        assert "8765" not in markup
        assert "threshold ." not in markup
    step = step_of(page_of(desk, run), 2)
    assert "The agent's confidence is shown after the decision." in step
    assert "Hidden until decided" in text_of(desk.get(f"/runs/{run.pk}/steps/1/"))
    counter.decide(counter.request(run), Verdict.APPROVE, reviewer)
    run = counter.go_on(run)
    assert "confidence 0.8765, threshold 0.90" in step_of(page_of(desk, run), 2)
    assert "0.8765" in text_of(desk.get(f"/runs/{run.pk}/steps/1/"))


class Transfer(BaseModel):
    """Money on its way to somebody who is not to be named."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    recipient: str
    amount: int


@pytest.fixture
def vault(bank: Bank) -> Iterator[str]:
    """An agent whose tool has a sensitive argument; gives its slug."""

    @tool(
        risk=Risk.HIGH,
        effects={Effect.MONEY},
        reversible=True,
        effect_class=EffectClass.IDEMPOTENT,
        sensitive={"recipient"},
    )
    def transfer(ctx: ToolContext, transfer: Transfer) -> str:
        """Send money."""
        return f"sent to {transfer.recipient}"

    @transfer.preview
    def show(ctx: ToolContext, transfer: Transfer) -> Preview:
        return Preview(title=f"Send {transfer.amount} to {transfer.recipient}")

    host(
        Agent(
            slug="vault",
            title="Vault",
            category=Category.BOUNDED,
            owner="finance",
            instructions="You keep the vault.",
            tools=[transfer],
        )
    )
    yield "vault"
    registry.unregister("vault")


def sending(counter: Counter, slug: str, arguments: Any) -> Run:
    """A run of the vault that wants to send money."""
    proposed = completion({"content": "To MALLORY!", "tool_calls": [call("transfer", arguments)]})
    counter.model.follow([proposed, final(summary="ok")])
    run, _ = start_run(agent=slug, input="Send it.", caller=Caller.of_session(counter.operator))
    advance(run.pk, owner="test", stopping=lambda: False)
    return Run.objects.get(pk=run.pk)


@pytest.mark.parametrize("malformed", [False, True])
def test_a_sensitive_argument_stands_nowhere_for_who_may_not_see_it(
    client: Client, login: Login, counter: Counter, vault: str, malformed: bool
) -> None:
    asked: dict[str, Any] = {"recipient": "MALLORY", "amount": "much" if malformed else 7}
    asked |= {"confidence": 0.9, "rationale": "MALLORY wants it"}
    run = sending(counter, vault, asked)
    steps = list(Step.objects.filter(run=run).in_order())
    paths = ["", "steps/", *(f"steps/{step.seq}/" for step in steps)]
    login(client, counter.operator)
    for path in paths:
        assert "MALLORY" not in client.get(f"/runs/{run.pk}/{path}").content.decode(), path
    assert "MALLORY" not in client.get("/runs/").content.decode()
    assert "is sensitive" in step_of(client.get(f"/runs/{run.pk}/"), 2)
    trusted = person("trusted", "operator", "sensitive-reader")
    login(client, trusted)
    assert "MALLORY" in text_of(client.get(f"/runs/{run.pk}/steps/2/"))


def test_after_the_call_ran_the_conversation_that_repeats_the_argument_is_hidden_too(
    client: Client, login: Login, counter: Counter, vault: str, reviewer: User
) -> None:
    asked = {"recipient": "MALLORY", "amount": 7, "confidence": 0.9, "rationale": "MALLORY"}
    run = sending(counter, vault, asked)
    trusted = person(
        "trusted", "reviewer", "sensitive-reader", groups=tuple(reviewer.review_groups.all())
    )
    counter.decide(counter.request(run), Verdict.APPROVE, trusted)
    run = counter.go_on(run)
    assert run.state == "succeeded"
    login(client, counter.operator)
    for path in ("", "steps/1/", "steps/2/", "steps/3/", "steps/4/"):
        assert "MALLORY" not in client.get(f"/runs/{run.pk}/{path}").content.decode(), path
    assert '"amount": 7' in text_of(client.get(f"/runs/{run.pk}/steps/2/"))


# -- many steps -----------------------------------------------------------------------------------


def test_many_steps_take_no_more_queries_than_few(
    desk: Client, counter: Counter, reviewer: User
) -> None:
    few = counter.start([calls(call("pay", PAY)), final(summary="ok")])
    many = counter.start(
        [
            calls(*(call("pay", {**PAY, "amount": f"{n}.00"}) for n in range(1, 13))),
            final(summary="ok"),
        ]
    )
    page_of(desk, few)
    with CaptureQueriesContext(connection) as one:
        page_of(desk, few)
    with CaptureQueriesContext(connection) as twelve:
        page = page_of(desk, many)
    assert len(page.context["waits"]) == 12
    assert len(twelve) == len(one) <= 23


def test_a_long_timeline_shows_its_beginning_and_its_end_and_leads_to_all_between(
    desk: Client, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.windows.SIZE", 2)
    run = long_run(counter.operator, "teller", 17)
    page = page_of(desk, run)
    assert [row.step.seq for row in page.context["timeline"].rows] == [1, 2, 15, 16, 17]
    assert "Steps 3 to 14 are not on this page." in text_of(page)
    assert "17 steps: the newest" in text_of(page)
    seen = {row.step.seq for row in page.context["timeline"].rows}
    asked, todo = set(), {"3"}
    while todo:
        asked.add(at := todo.pop())
        page = desk.get(f"/runs/{run.pk}/?at={at}")
        seen |= {row.step.seq for row in page.context["timeline"].rows}
        todo |= set(re.findall(r"\?at=(\d+)#window", page.content.decode())) - asked
    assert seen == set(range(1, 18))
    tail = desk.get(f"/runs/{run.pk}/steps/").context["timeline"]
    assert [row.step.seq for row in tail.rows] == [15, 16, 17]


def test_a_window_costs_as_many_queries_in_a_run_of_thousands_as_in_a_short_one(
    desk: Client, counter: Counter
) -> None:
    short, long = (long_run(counter.operator, "teller", n) for n in (250, 2500))
    desk.get(f"/runs/{short.pk}/windows/2/")
    counts = []
    for path in (f"{short.pk}/windows/2/", f"{long.pk}/windows/12/", f"{long.pk}/windows/25/"):
        with CaptureQueriesContext(connection) as asked:
            answer = desk.get(f"/runs/{path}")
        assert len(answer.context["window"].rows) <= SIZE
        counts.append(len(asked))
    assert counts[0] == counts[1] == counts[2] <= 11
    with CaptureQueriesContext(connection) as whole:
        assert len(page_of(desk, long).context["timeline"].rows) <= 3 * SIZE
    assert len(whole) <= 24
    for beyond in (0, ceil(2500 / SIZE) + 1):
        assert desk.get(f"/runs/{long.pk}/windows/{beyond}/").status_code == 404


def test_a_reply_is_secret_while_the_score_of_its_call_is_which_stands_in_the_next_window(
    desk: Client, counter: Counter, hidden_scores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.windows.SIZE", 1)
    sure = completion({"content": "I am .8765 sure.", "tool_calls": [call("pay", PAY)]})
    run = counter.start([sure])
    first = desk.get(f"/runs/{run.pk}/windows/1/").content.decode()
    assert "Hidden until decided" in first
    assert "8765" not in first


# -- one step beside the others -------------------------------------------------------------------


def test_a_step_has_an_address_beside_the_timeline_and_one_of_its_own(
    desk: Client, counter: Counter
) -> None:
    run = counter.start([calls(call("read_balance", READ)), final(summary="ok")])
    page = desk.get(f"/runs/{run.pk}/?step=2")
    panel = page.content.decode().partition('id="step-panel"')[2].partition("</aside>")[0]
    assert "Step 2" in panel
    assert "Raw request and response" in panel
    assert "The gate allowed it: confidence 0.95" in panel
    for path in ("?step=1#step-panel", "?step=3#step-panel", "steps/2/", "?at=2#step-2"):
        assert f'/runs/{run.pk}/{path}"' in panel
    assert f'data-url="/runs/{run.pk}/steps/?step=2"' in page.content.decode()
    fragment = desk.get(
        f"/runs/{run.pk}/steps/2/", headers={"HX-Request": "true", "HX-Target": "step-panel"}
    )
    assert fragment.content.decode().startswith('<aside class="step-panel"')
    own = desk.get(f"/runs/{run.pk}/steps/4/").content.decode()
    assert "Step before" in own
    assert "Step after" not in own
    for wrong in ("99", "x", "-1", "0", ""):
        answer = desk.get(f"/runs/{run.pk}/?step={wrong}")
        assert answer.status_code == 200
        assert "step-panel" not in answer.content.decode().partition("</main>")[0].replace(
            "#step-panel", ""
        )


def test_a_sweep_lets_a_sleeping_run_go_on_and_the_page_says_when(
    desk: Client, counter: Counter
) -> None:
    run = counter.start([error(503)] * 3)
    Run.objects.filter(pk=run.pk).update(wake_at=F("created_at"))
    sweep_once()
    counter.model.follow([final(summary="At last.")])
    run = counter.go_on(run)
    step = step_of(page_of(desk, run), 1)
    assert "The model server failed (503). It was tried again at" in step


def test_a_sensitive_argument_stands_nowhere_in_the_steps_that_programs_read(
    client: Client, login: Login, counter: Counter, vault: str, reviewer: User
) -> None:
    asked = {"recipient": "MALLORY", "amount": 7, "confidence": 0.9, "rationale": "MALLORY"}
    run = sending(counter, vault, asked)
    trusted = person(
        "trusted", "reviewer", "sensitive-reader", groups=tuple(reviewer.review_groups.all())
    )
    for _ in range(2):
        login(client, counter.operator)
        for query in ("", "?limit=1", "?limit=100"):
            answer = client.get(f"/api/v1/runs/{run.pk}/steps{query}")
            assert "MALLORY" not in answer.content.decode()
        step = next(s for s in answer.json()["items"] if s["name"] == "transfer")
        assert step["arguments"] == {"recipient": SENSITIVE, "amount": 7}
        login(client, trusted)
        assert "MALLORY" in client.get(f"/api/v1/runs/{run.pk}/steps").content.decode()
        if run.state == "waiting":
            counter.decide(counter.request(run), Verdict.APPROVE, trusted)
            run = counter.go_on(run)
    assert run.state == "succeeded"


def test_a_sensitive_argument_that_could_not_be_read_is_not_given_to_programs_either(
    client: Client, login: Login, counter: Counter, vault: str
) -> None:
    run = sending(counter, vault, {"recipient": "MALLORY", "amount": "much", "confidence": 0.9})
    steps = login(client, counter.operator).get(f"/api/v1/runs/{run.pk}/steps")
    assert "MALLORY" not in steps.content.decode()


def test_a_step_that_took_less_than_a_second_has_one_moment() -> None:
    began = datetime(2026, 11, 22, 13, 25, 4, 100_000, tzinfo=UTC)

    def said(seconds: float | None) -> str:
        ended = None if seconds is None else began + timedelta(seconds=seconds)
        return words(step_when(Step(seq=2, started_at=began, finished_at=ended)))

    assert said(None) == "Step 2, since 13:25:04"
    assert said(0.5) == "Step 2, at 13:25:04"
    assert said(1) == "Step 2, from 13:25:04 to 13:25:05"

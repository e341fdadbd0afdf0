"""Questions of agents with typed answers: what is taken, over the API and from the page, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services.create_token import create_token
from agents.models import Run, Step
from approvals.forms import AnswerForm
from tests.agents.conftest import TEST, Counter
from tests.model_server import call, calls, final

CHOICES = ["North", "South"]


def asking(counter: Counter, answer_type: str) -> Run:
    asked = {"question": "Which?", "answer_type": answer_type}
    asked |= {"choices": CHOICES} if answer_type == "choice" else {}
    run = counter.start([calls(call("ask_human", asked)), final(summary="ok")])
    assert run.state == "waiting"
    return run


def answered(counter: Counter, run: Run, person: User, answer: Any) -> Any:
    """What the API says to this answer."""
    request = counter.request(run)
    token = create_token(person=person, name="tests", caller=TEST)
    body = {
        "verdict": "answer",
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "nonce": "nonce-of-the-test",
        "answer": answer,
    }
    client = Client(headers={"Authorization": f"Bearer {token.bearer}"})
    address = f"/api/v1/approvals/{request.pk}/decisions"
    return client.post(address, body, content_type="application/json")


@pytest.mark.parametrize(
    ("answer_type", "answer"),
    [
        ("text", "The blue one."),
        ("number", 7),
        ("number", -2.5),
        ("yes_no", False),
        ("choice", "South"),
    ],
)
def test_an_answer_of_the_type_that_was_asked_for_is_told_to_the_agent_as_it_is(
    counter: Counter, reviewer: User, answer_type: str, answer: Any
) -> None:
    run = asking(counter, answer_type)
    assert answered(counter, run, reviewer, answer).status_code == 200
    assert counter.go_on(run).state == "succeeded"
    told = Step.objects.get(run=run, kind="question").output
    assert told == {"status": "answered", "answer": answer}


@pytest.mark.parametrize(
    ("answer_type", "answer"),
    [
        ("text", ""),
        ("text", 7),
        ("text", "x" * 5_001),
        ("number", "7"),
        ("number", True),
        ("yes_no", "yes"),
        ("yes_no", 1),
        ("choice", "East"),
        ("choice", 0),
    ],
)
def test_an_answer_of_another_type_is_refused_at_its_field_and_the_run_waits_on(
    counter: Counter, reviewer: User, answer_type: str, answer: Any
) -> None:
    run = asking(counter, answer_type)
    refused = answered(counter, run, reviewer, answer)
    assert refused.status_code == 422
    assert refused.json()["params"]["errors"][0]["field"].startswith("answer"), refused.json()
    run.refresh_from_db()
    assert (run.state, counter.request(run).state) == ("waiting", "pending")


@pytest.mark.parametrize(
    ("answer_type", "written", "answer"),
    [
        ("text", "The blue one.", "The blue one."),
        ("number", "-2.5", -2.5),
        ("yes_no", "no", False),
        ("choice", "South", "South"),
    ],
)
def test_the_form_of_the_page_makes_of_what_is_written_what_the_api_takes(
    counter: Counter, reviewer: User, answer_type: str, written: str, answer: Any
) -> None:
    run = asking(counter, answer_type)
    form = AnswerForm(counter.request(run).question or {}, {"answer": written})
    assert form.is_valid()
    assert form.body() == {"answer": answer}
    assert answered(counter, run, reviewer, form.body()["answer"]).status_code == 200


@pytest.mark.parametrize(
    ("answer_type", "written"),
    [("number", "many"), ("yes_no", "perhaps"), ("choice", "East"), ("text", "")],
)
def test_the_form_refuses_what_does_not_fit(
    counter: Counter, answer_type: str, written: str
) -> None:
    run = asking(counter, answer_type)
    form = AnswerForm(counter.request(run).question or {}, {"answer": written})
    assert "answer" in form.errors


@pytest.mark.parametrize("choices", [[], ["Only one"], ["Twice", "Twice"], ["", "B"]])
def test_a_question_that_offers_no_choice_is_told_to_the_model(
    counter: Counter, choices: list[str]
) -> None:
    asked = {"question": "Which?", "answer_type": "choice", "choices": choices}
    run = counter.start([calls(call("ask_human", asked)), final(summary="ok")])
    step = Step.objects.get(run=run, kind="question")
    assert (run.state, step.problem) == ("succeeded", "arguments_invalid")


def test_abstaining_is_an_outcome_of_its_own(counter: Counter) -> None:
    run = counter.start([calls(call("abstain", {"reason": "Nobody can know this."}))])
    assert (run.state, run.outcome) == ("succeeded", "abstained")
    assert run.output == {"reason": "Nobody can know this."}

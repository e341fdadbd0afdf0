"""Scores of a workflow's calls: gathered, decided by what the policy says, and secret where they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from agents.models import Run, Step
from approvals.schemas import Confidence
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank
from tests.agents.conftest import Counter, host
from tests.agents.flows import answered, clerk, flow_of
from tests.agents.scoring import Cast, review, score_by
from tests.agents.test_hidden_scores import (
    BACKEND,
    Read,
    everybody,
    hidden,
    read,
    stands_in,
)

__all__ = ["everybody", "hidden", "read"]
Steps = Callable[[Run], list[Step]]


@pytest.fixture
def desk(counter: Counter, bank: Bank) -> Counter:
    """The counter, with the clerk at it."""
    host(clerk(flow_of(bank), bank))
    return counter


def test_a_declared_score_stands_for_the_models_own_word_and_for_no_other() -> None:
    declared = Confidence(raw_bp=10_000, source="declared", signals={"declared": 10_000})
    assert declared.decided_by("self_reported").value_bp == 10_000
    for source in ("verifier", "agreement", "log_probability"):
        assert declared.decided_by(source).value_bp == 0
    said = Confidence(raw_bp=9_000, source="self_reported", signals={"self_reported": 9_000})
    assert said.decided_by("declared").value_bp == 0


@pytest.mark.parametrize(("score", "state"), [(0.9, "succeeded"), (0.1, "waiting")])
def test_a_verifier_looks_at_a_workflows_call_too(
    desk: Counter, bank: Bank, score: float, state: str
) -> None:
    score_by({"source": "verifier"})
    cast = Cast([answered()], [review(score)])
    run = desk.start(cast, "A1")
    assert (run.state, len(bank.sent)) == (state, int(score > 0.5))
    assert cast.asked == ["agent", "verifier"]


@pytest.mark.parametrize("source", ["agreement", "log_probability"])
def test_a_score_that_a_workflows_call_cannot_have_counts_as_zero(
    desk: Counter, bank: Bank, source: str
) -> None:
    score_by({"source": source})
    cast = Cast([answered(1.0)])
    run = desk.start(cast, "A1")
    assert (run.state, bank.sent, cast.asked) == ("waiting", [], ["agent"])
    assert "no_score" in [reason["code"] for reason in desk.request(run).reasons]


def test_a_read_that_only_code_proposes_is_reviewed_where_a_model_is_to_look_for_objections(
    desk: Counter,
) -> None:
    score_by({"source": "verifier"}, tool="read_letter")
    cast = Cast([answered()], [review(0.1, "No.")])
    run = desk.start(cast, "A1")
    assert (run.state, cast.asked) == ("waiting", ["verifier"])


def test_the_secret_score_of_a_workflows_call_is_not_told_by_the_answer_it_comes_from(
    desk: Counter, hidden: None, read: Read
) -> None:
    run = desk.start([answered(0.8765)], "A1")
    request = desk.request(run)
    assert (request.score_visible, request.signals) == (False, {"self_reported": 8_765})
    told = [where for where, text in read(run) if stands_in("8765", text)]
    assert told == []


def test_after_the_verdict_the_answers_confidence_is_told(
    desk: Counter, hidden: None, read: Read, reviewer: User
) -> None:
    run = desk.start([answered(0.8765)], "A1")
    desk.decide(desk.request(run), Verdict.REJECT, reviewer, reason="No.")
    run = desk.go_on(run)
    told = "".join(text for where, text in read(run) if where.startswith(f"{reviewer} "))
    assert stands_in("8765", told)


def steps_by_api(run: Run, user: User, **query: Any) -> list[dict[str, Any]]:
    client = Client()
    client.force_login(user, backend=BACKEND)
    answer: list[dict[str, Any]] = client.get(f"/api/v1/runs/{run.pk}/steps", query).json()["items"]
    return answer


def test_an_answer_on_an_earlier_page_than_its_secret_call_tells_nothing_either(
    desk: Counter, hidden: None, reviewer: User, settings: Settings
) -> None:
    run = desk.start([answered(0.8765)], "A1")
    steps = steps_by_api(run, reviewer, limit=5)
    (decision,) = [step for step in steps if step["kind"] == "decision"]
    (model,) = [step for step in steps if step["kind"] == "model"]
    assert steps[-1]["seq"] == decision["seq"]
    assert decision["confidence"] is None
    assert decision["arguments"] == {"account": "A1", "amount": "42.00"}
    assert model["response"] == "hidden until decided"


def test_the_steps_of_a_workflow_are_told_in_words(desk: Counter, reviewer: User) -> None:
    run = desk.start([answered(0.9)], "A1")
    client = Client()
    client.force_login(reviewer, backend=BACKEND)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    for words in (
        "State: look",
        "Code decided: call read letter.",
        "Code decided: ask the model.",
        "The model answered",
        "Its confidence is 0.90.",
        "Code decided: call pay. ",
    ):
        assert words.rstrip() in page, words

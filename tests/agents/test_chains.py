"""A chain of models: each is told what was wrong, then the next is asked, then the run sleeps or a person looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from accounts.models import User
from agents.models import Run, Step
from agents.retry_after import retry_after_seconds
from agents.step_details import attempts_of, note_of
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.model_server import Answer, ModelServer, call, calls, error, final, judged, says

Steps = Callable[[Run], list[Step]]
CHAIN = ("cheap", "strong")
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def chain(counter: Counter, bank: Bank) -> Counter:
    """The teller with a chain of two models."""
    host(teller(bank, models=CHAIN))
    return counter


def by_model(**answers: Callable[[], Answer]) -> Callable[[dict[str, Any]], Answer]:
    return lambda request: answers[request["model"]]()


def asked(model: ModelServer) -> list[str]:
    return [request["model"] for request in model.requests]


def test_a_model_that_cannot_be_repaired_leaves_its_place_to_the_next_one_and_the_timeline_says_so(
    chain: Counter, model: ModelServer, steps_of: Steps
) -> None:
    run = chain.start(by_model(cheap=lambda: says("Hm."), strong=lambda: final(summary="ok")))
    assert run.state == "succeeded"
    assert asked(model) == ["cheap", "cheap", "cheap", "strong"]
    steps = [step for step in steps_of(run) if step.kind == "model"]
    assert [step.name for step in steps] == asked(model)
    assert [bool(note_of(step)) for step in steps] == [False, False, False, True]
    assert "cheap gave no usable call 3 times in a row" in note_of(steps[-1])


def test_a_repair_quotes_what_was_wrong_with_the_call(chain: Counter, model: ModelServer) -> None:
    wrong = calls(call("pay", judged({"account": "A1", "amount": "-1"})))
    chain.start([wrong, final(summary="ok")])
    told = model.requests[1]["messages"][-1]["content"]
    assert "amount" in told
    assert "greater than 0" in told


def test_a_model_that_was_left_is_not_asked_again_in_the_run(
    chain: Counter, model: ModelServer
) -> None:
    reads = calls(call("read_balance", judged({"account": "A1"})))
    run = chain.start([says("a"), says("b"), says("c"), reads, final(summary="ok")])
    assert run.state == "succeeded"
    assert asked(model)[3:] == ["strong", "strong"]


def test_when_no_model_of_the_chain_gives_a_usable_call_a_person_looks(
    chain: Counter, model: ModelServer
) -> None:
    run = chain.start(lambda _request: says("I would rather talk."))
    assert run.state == "waiting"
    assert chain.request(run).kind == "attention"
    assert asked(model) == ["cheap"] * 3 + ["strong"] * 3


def test_the_word_of_a_person_begins_a_chain_that_was_through_anew(
    chain: Counter, model: ModelServer, reviewer: User
) -> None:
    run = chain.start(lambda _request: says("I would rather talk."))
    model.follow([final(summary="ok")])
    chain.decide(chain.request(run), Verdict.CONTINUE, reviewer)
    assert chain.go_on(run).state == "succeeded"
    assert asked(model)[-1] == "cheap"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_model_that_stays_away_is_tried_again_then_the_next_one_is_asked(
    chain: Counter, model: ModelServer, steps_of: Steps, status: int
) -> None:
    run = chain.start(by_model(cheap=lambda: error(status), strong=lambda: final(summary="ok")))
    assert run.state == "succeeded"
    assert asked(model) == ["cheap"] * 3 + ["strong"]
    step = steps_of(run)[0]
    assert [attempt.model for attempt in attempts_of(step)] == ["cheap"] * 3
    assert step.name == "strong"


def test_a_run_whose_models_all_stay_away_sleeps_as_long_as_the_one_that_is_back_first(
    chain: Counter,
) -> None:
    waits = {"cheap": "900", "strong": "120"}
    run = chain.start(lambda request: error(429, retry_after=waits[request["model"]]))
    assert run.state == "sleeping"
    assert run.wake_at is not None
    assert 100 < (run.wake_at - run.created_at).total_seconds() < 150


def test_a_run_sleeps_for_the_model_that_may_come_back_whatever_the_last_one_says(
    chain: Counter,
) -> None:
    run = chain.start(by_model(cheap=lambda: error(503), strong=lambda: error(401)))
    assert run.state == "sleeping"


def test_a_retry_after_that_is_a_date_puts_the_run_to_sleep_until_then(counter: Counter) -> None:
    now = datetime.now(UTC)
    body = json.dumps({"error": {"message": "slow"}}).encode()
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(seconds=300), usegmt=True),
    }
    run = counter.start([Answer(429, body, headers)])
    assert run.state == "sleeping"
    assert run.wake_at is not None
    assert 280 < (run.wake_at - run.created_at).total_seconds() < 320


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Mon, 01 Jun 2026 12:05:00 GMT", 300.0),
        ("Monday, 01-Jun-26 12:05:00 GMT", 300.0),
        ("Mon Jun  1 12:05:00 2026", 300.0),
        ("Mon, 01 Jun 2026 11:00:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("1e9", None),
        ("\u0667", None),
        ("Mon, 99 Jun 2026 12:05:00 GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_by_the_servers_own_clock(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(value, format_datetime(NOW, usegmt=True)) == seconds

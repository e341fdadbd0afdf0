"""What is sent fits the smallest model that it may be sent to, purely by journal, agent and window."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import Settings

from accounts.models import User
from agents.authoring import AskModel, Budget, FlowContext, Move
from agents.context import build_context, room_of
from agents.endpoints import NamedEndpoint, endpoint_of, named_endpoints
from agents.model_calls import window_of
from agents.models import Run
from agents.shortening import tokens_of
from approvals.vocabulary import Verdict
from tests.agents.bank import Bank, teller
from tests.agents.conftest import Counter, host
from tests.agents.flows import Wish, clerk, lone
from tests.agents.test_context import AGENTS, TASK, Written, long, weight_of
from tests.agents.test_long_runs import Reader, read_page
from tests.model_server import ModelServer, error

SMALL = 6_000
BUDGET = Budget(steps=400, model_calls=200, tool_calls=200, tokens=100_000_000)


def built(written: Written, window: int | None) -> Any:
    run = Run(input={"text": TASK})
    return build_context(AGENTS[20_000], run, written.steps, window=window)


def test_a_smaller_window_is_what_counts_and_a_larger_one_changes_nothing() -> None:
    written = long(50)
    whole, small = built(written, None), built(written, 8_000)
    assert weight_of(small) <= room_of(AGENTS[20_000], 8_000) < weight_of(whole)
    assert built(written, 50_000).request == whole.request
    assert built(written, 8_000) == small
    assert small.request["messages"][1]["content"] == TASK
    assert small.fits


def test_a_window_that_does_not_even_hold_the_task_is_said() -> None:
    assert not built(long(0), 100).fits


def test_the_smallest_window_of_a_chain_counts_and_only_those_that_are_said(
    settings: Settings,
) -> None:
    named = {
        name: NamedEndpoint(base_url="http://127.0.0.1:1/v1", context_tokens=size)
        for name, size in (("large", 64_000), ("small", SMALL), ("silent", None))
    }
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"endpoints": named, "openai_base_url": "http://127.0.0.1:1/v1", "openai_model": "m"}
    )
    endpoints = [endpoint_of(f"{name}/m") for name in named]
    assert window_of(endpoints) == SMALL
    assert window_of(endpoints[::2]) == 64_000
    assert window_of([endpoint_of()]) is None
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"model_context_tokens": 4_000})
    assert window_of([endpoint_of()]) == 4_000


def test_a_window_in_which_nothing_fits_is_refused_in_the_settings() -> None:
    there = {"local": {"base_url": "http://127.0.0.1:1/v1", "context_tokens": 999}}
    with pytest.raises(ValueError, match="context_tokens"):
        named_endpoints(json.dumps(there))


@pytest.fixture
def servers(model: ModelServer, settings: Settings) -> ModelServer:
    """A large model and a small one behind it, at one server."""
    named = {
        "large": NamedEndpoint(base_url=model.url),
        "small": NamedEndpoint(base_url=model.url, context_tokens=SMALL),
    }
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"endpoints": named, "model_attempts": 1}
    )
    return model


def test_what_falls_back_to_a_smaller_model_fits_it(
    counter: Counter, bank: Bank, servers: ModelServer
) -> None:
    agent = teller(bank, tools=[read_page], budget=BUDGET, models=("large/m", "small/s"))
    host(agent)
    reader = Reader(30)
    run = counter.start(lambda request: error(500) if request["model"] == "m" else reader(request))
    assert run.state == "succeeded"
    asked = [each for each in servers.requests if each["model"] == "s"]
    assert len(asked) == 31
    room = room_of(agent, SMALL)
    for request in asked:
        assert sum(map(tokens_of, request["messages"])) <= room
    assert room < room_of(agent) // 4


def test_a_task_that_the_smallest_model_could_not_read_asks_none(
    counter: Counter, bank: Bank, servers: ModelServer
) -> None:
    host(teller(bank, models=("large/m", "small/s")))
    run = counter.start([], "word " * 3_999)
    request = counter.request(run)
    assert (run.state, request.kind, servers.requests) == ("waiting", "attention", [])


def test_a_decision_point_that_its_model_could_not_read_whole_asks_a_person_instead(
    counter: Counter, bank: Bank, servers: ModelServer, reviewer: User
) -> None:
    def first(ctx: FlowContext) -> Move:
        return AskModel("What?", "a letter " * 4_000, then="close")

    host(clerk(lone(first, asks=Wish), bank, models=("large/m", "small/s")))
    run = counter.start([])
    request = counter.request(run)
    assert (run.state, request.kind, servers.requests) == ("waiting", "attention", [])
    assert request.question is not None
    assert request.question["code"] == "context_full"
    counter.decide(request, Verdict.STOP, reviewer)
    assert Run.objects.get(pk=run.pk).state == "cancelled"

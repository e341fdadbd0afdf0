"""Calls and real worker processes: crossing resources never stand still, whoever is killed or hangs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from accounts.models import ReviewGroup, User
from agents import registry
from agents.models import ResourceClaim, Run
from tests.agents.conftest import host
from tests.harness.client import ApiClient
from tests.harness.stack import Stack
from tests.model_server import Answer, ModelServer, call, calls, final, judged
from tests.vault.agents import CLASHED, OPENED, TURNED, keeper

Prepare = Callable[..., Stack]
RUNS = 24


def as_told(request: dict[str, Any]) -> Answer:
    """A model that makes the calls that its task says, each with these arguments, and ends."""
    if any(message["role"] == "tool" for message in request["messages"]):
        return final(summary="ok")
    (task,) = (message["content"] for message in request["messages"] if message["role"] == "user")
    return calls(*(call(name, judged(given)) for name, given in json.loads(task)))


def opening(*drawers: list[str]) -> str:
    """The task to open each list of drawers in a call of its own."""
    return json.dumps([["open_drawers", {"names": names}] for names in drawers])


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def vault(stack: Prepare, finance: ReviewGroup) -> Iterator[Stack]:
    """The whole product with the keeper and two workers for its runs."""
    model = ModelServer(as_told)
    made = stack(
        apps="tests.vault",
        run_workers=2,
        openai_base_url=model.url,
        openai_api_key="test",
        openai_model="scripted",
    )
    host(keeper)
    yield made.run()
    registry.unregister("keeper")
    model.close()


def test_crossing_orders_and_a_killed_pool_leave_no_run_standing_and_no_drawer_opened_twice(
    vault: Stack, operator: User, redis_client: Redis
) -> None:
    client = ApiClient(vault, operator)
    crossing = [
        [["x", "y"]],
        [["y", "x"]],
        [["x"], ["y"]],
        [["y"], ["x"]],
        [["z", "x"], ["y", "z"]],
    ]
    tasks = [crossing[number % len(crossing)] for number in range(RUNS)]
    started = [client.start("keeper", opening(*task)) for task in tasks]
    vault.wait_for(lambda: redis_client.llen(OPENED) > RUNS // 4, what="some drawers were opened")
    vault.kill("runs")
    vault.start("runs")
    vault.wait_for(
        lambda: Run.objects.filter(pk__in=started, state="succeeded").count() == RUNS,
        90,
        "every run has succeeded",
    )
    assert redis_client.lrange(CLASHED, 0, -1) == []
    opened = set(redis_client.lrange(OPENED, 0, -1))
    assert len(opened) == sum(map(len, tasks))
    assert not ResourceClaim.objects.exists()


def test_a_worker_whose_tool_hangs_ends_its_run_and_is_replaced_by_a_new_process(
    vault: Stack, operator: User, redis_client: Redis
) -> None:
    client = ApiClient(vault, operator)

    def turned_by(stuck: bool) -> int:
        run = client.start("keeper", json.dumps([["turn_key", {"stuck": stuck}]]))
        vault.wait_for(lambda: Run.objects.get(pk=run).state == "succeeded", what="it has ended")
        return int(redis_client.lrange(TURNED, -1, -1)[0])

    stuck = {turned_by(stuck=True) for _ in range(2)}
    assert len(stuck) == 2
    vault.wait_for(lambda: not any(map(is_alive, stuck)), what="both workers have ended")
    assert turned_by(stuck=False) not in stuck

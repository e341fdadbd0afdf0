"""Resources and real worker processes: crossing orders never stand still, whoever is killed."""

from __future__ import annotations

import json
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
from tests.vault.agents import CLASHED, OPENED, keeper

Prepare = Callable[..., Stack]
RUNS = 24


def as_told(request: dict[str, Any]) -> Answer:
    """A model that opens what its task says, each list of drawers in a call of its own, and ends."""
    if any(message["role"] == "tool" for message in request["messages"]):
        return final(summary="ok")
    (task,) = (message["content"] for message in request["messages"] if message["role"] == "user")
    return calls(*(call("open_drawers", judged({"names": names})) for names in json.loads(task)))


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
    started = [client.start("keeper", json.dumps(task)) for task in tasks]
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

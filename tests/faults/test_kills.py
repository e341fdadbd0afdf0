"""Processes die by SIGKILL, Redis with all its data: a decision still resumes its run, once."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from accounts.models import User
from agents.models import Run
from agents.registry import get
from tests.harness.client import ApiClient
from tests.harness.stack import Stack
from tests.model_server import Answer, ModelServer, call, calls, final, judged

Prepare = Callable[..., Stack]


def ticket() -> Any:
    """The demo's first example: one refund that one of Finance decides."""
    return get("refund-desk").examples[0].input


def paid(stack: Stack) -> list[dict[str, Any]]:
    """Every refund that the payment provider was asked for."""
    return stack.provider_calls()


def state_of(run: str) -> str:
    return str(Run.objects.values_list("state", flat=True).get(pk=run))


@pytest.fixture
def parked(stack: Prepare, operator: User, reviewer: User) -> tuple[Stack, ApiClient, str]:
    """The whole product with one run that waits for a reviewer."""
    site = stack().run()
    run = ApiClient(site, operator).start("refund-desk", ticket())
    site.wait_for(lambda: state_of(run) == "waiting", what="the run is parked")
    return site, ApiClient(site, reviewer), run


def approve_and_finish(site: Stack, person: ApiClient, run: str) -> None:
    """Approve the one request and see the run through; the provider was asked once."""
    (request,) = person.pending()
    status, answer = person.decide(request, "approve")
    assert status == 200, answer
    site.wait_for(lambda: state_of(run) == "succeeded", 40, "the run has succeeded")
    assert len(paid(site)) == 1


@pytest.mark.parametrize("name", ["resumes", "runs", "web", "scheduler"])
def test_a_parked_run_resumes_after_a_process_was_killed(
    parked: tuple[Stack, ApiClient, str], name: str
) -> None:
    site, person, run = parked
    site.kill(name)
    site.start(name)
    site.wait_until_ready()
    approve_and_finish(site, person, run)


def test_a_parked_run_resumes_after_redis_lost_everything(
    parked: tuple[Stack, ApiClient, str],
) -> None:
    site, person, run = parked
    site.redis.stop()
    site.redis.start()
    site.wait_until_ready()
    approve_and_finish(site, person, run)


def test_a_decision_while_no_worker_lives_is_carried_out_when_one_comes_back(
    parked: tuple[Stack, ApiClient, str],
) -> None:
    site, person, run = parked
    for name in ("resumes", "runs"):
        site.kill(name)
    (request,) = person.pending()
    assert person.decide(request, "approve")[0] == 200
    assert paid(site) == []
    for name in ("resumes", "runs"):
        site.start(name)
    site.wait_for(lambda: state_of(run) == "succeeded", 40, "the run has succeeded")
    assert len(paid(site)) == 1


def test_a_decision_while_redis_is_away_is_taken_and_carried_out(
    parked: tuple[Stack, ApiClient, str],
) -> None:
    site, person, run = parked
    site.redis.stop()
    (request,) = person.pending()
    assert person.decide(request, "approve")[0] == 200
    site.wait_for(lambda: state_of(run) == "succeeded", 40, "the run has succeeded without Redis")
    assert len(paid(site)) == 1
    site.redis.start()
    site.wait_until_ready()


def test_workers_that_are_made_while_redis_is_away_work_all_the_same(
    parked: tuple[Stack, ApiClient, str],
) -> None:
    site, person, run = parked
    site.redis.stop()
    for name in ("resumes", "runs"):
        for worker in psutil.Process(site.running[name].pid).children(recursive=True):
            worker.kill()
    (request,) = person.pending()
    assert person.decide(request, "approve")[0] == 200
    site.wait_for(lambda: state_of(run) == "succeeded", 60, "the run has succeeded without Redis")
    assert len(paid(site)) == 1
    site.redis.start()
    site.wait_until_ready()


@pytest.mark.parametrize("name", ["resumes", "runs", "web", "redis"])
def test_a_run_killed_while_the_model_thinks_goes_on_and_acts_once(
    stack: Prepare, operator: User, reviewer: User, name: str
) -> None:
    thinking = threading.Event()
    model = ModelServer([Answer(hold=thinking), *refund_script()])
    site = stack(
        openai_base_url=model.url, openai_api_key="test", openai_model="scripted", lease_seconds=1
    ).run()
    run = ApiClient(site, operator).start("refund-desk", ticket())
    site.wait_for(lambda: model.requests, what="the model was asked")
    kill_and_start(site, name)
    site.wait_until_ready()
    thinking.set()
    site.wait_for(lambda: state_of(run) == "waiting", 40, "the run is parked")
    approve_and_finish(site, ApiClient(site, reviewer), run)
    model.close()


def test_a_worker_killed_while_it_pays_pays_once(
    parked: tuple[Stack, ApiClient, str],
) -> None:
    site, person, run = parked
    turn_knobs(site, {"mode": "delay", "seconds": 5})
    (request,) = person.pending()
    assert person.decide(request, "approve")[0] == 200
    site.wait_for(lambda: paid(site), what="the provider was asked")
    for name in ("resumes", "runs"):
        kill_and_start(site, name)
    site.wait_for(lambda: state_of(run) == "succeeded", 60, "the run has succeeded")
    asked = paid(site)
    assert len({each["key"] for each in asked}) == 1
    assert sum(each["refund"] is not None for each in asked) == 1


def kill_and_start(site: Stack, name: str) -> None:
    if name == "redis":
        site.redis.stop()
        site.redis.start()
        return
    site.kill(name)
    site.start(name)


def turn_knobs(site: Stack, knobs: dict[str, object]) -> None:
    """Ask the payment provider for trouble."""
    request = urllib.request.Request(
        f"{site.provider_url}/knobs", data=json.dumps(knobs).encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()


def refund_script() -> list[Answer]:
    """A model that asks for one refund of the first example's order, and then ends."""
    refund = {"order": "ORD-10001", "amount": "420.00", "reason": "Broken screen."}
    told = {"outcome": "refunded", "order": "ORD-10001", "amount": "420.00", "message": "Done."}
    asks = call("issue_refund", judged(refund))
    return [calls(asks), final(**told, relies_on=[asks["id"]])]

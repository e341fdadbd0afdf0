"""The scheduler: every sweep gets its turn, whatever the others do."""

import os
import signal
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest
from django.core.management import CommandError, call_command
from redis import Redis

from countersign.liveness import ROOT, scheduler_is_alive
from tests.harness.environment import TestProcess

scheduler = import_module("countersign.management.commands.scheduler")


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """The command takes SIGTERM and SIGINT for itself; the test process wants them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def tasks(monkeypatch: pytest.MonkeyPatch, **given: Callable[[], object]) -> None:
    monkeypatch.setattr(scheduler, "TASKS", given)


def test_a_failing_sweep_never_stops_the_others(
    db: None, redis_client: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    swept: list[str] = []

    def poisonous() -> None:
        raise RuntimeError("a row that cannot be swept")

    tasks(monkeypatch, first=poisonous, second=lambda: swept.append("second"))
    call_command("scheduler", "--once")
    assert swept == ["second"]
    assert "sweep_failed" in caplog.text
    assert "a row that cannot be swept" in caplog.text


def test_runs_and_requests_are_swept() -> None:
    assert list(scheduler.TASKS) == ["runs", "requests", "audit", "insights", "evaluations"]


def test_it_shows_that_it_lives_and_takes_the_sign_back_at_its_end(
    db: None, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    turns = iter(range(10))

    def look() -> None:
        seen.append(scheduler_is_alive(redis_client))
        if next(turns) == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    tasks(monkeypatch, look=look)
    monkeypatch.setattr(
        scheduler.settings,
        "COUNTERSIGN",
        scheduler.settings.COUNTERSIGN.model_copy(update={"sweep_seconds": 0.01}),
    )
    call_command("scheduler")
    assert seen == [False, True]
    assert not scheduler_is_alive(redis_client)


def test_it_goes_on_while_redis_is_away(
    db: None, test_process: TestProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []
    tasks(monkeypatch, look=lambda: swept.append("swept"))
    test_process.redis.stop()
    try:
        call_command("scheduler", "--once")
    finally:
        test_process.redis.start()
    assert swept == ["swept"]


def test_the_signs_of_two_schedulers_are_two(
    db: None, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    def look() -> None:
        scheduler.show_scheduler(redis_client, "another:1")
        found.append(len(redis_client.keys(f"{ROOT}:scheduler:*")))

    tasks(monkeypatch, look=look)
    call_command("scheduler", "--once")
    assert found == [1]
    assert redis_client.keys(f"{ROOT}:scheduler:*") == [f"{ROOT}:scheduler:another:1".encode()]


def test_a_pool_takes_one_queue_that_there_is() -> None:
    for queues in ([], ["runs", "resumes"], ["nothing"]):
        with pytest.raises(CommandError, match="Name one queue: background, resumes, runs"):
            call_command("rqworker-pool", *queues)

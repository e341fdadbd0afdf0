"""Hints go out over Redis at once; a deaf Redis is noticed in the log and nowhere else."""

import logging
import os
import signal
from time import monotonic, sleep

import orjson
import pytest
from pytest_django import Settings
from redis import Redis

from accounts import hints

HINT: hints.Hint = {"topic": "request", "id": "01", "version": 3, "kind": "opened"}


def test_a_subscriber_gets_audiences_and_hint(redis_client: Redis) -> None:
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(hints.CHANNEL)
    listener.get_message(timeout=10)  # the confirmation, which is swallowed
    hints.publish([hints.to_group(7), hints.EVERYTHING], HINT)
    message = listener.get_message(timeout=10)
    assert message is not None
    assert orjson.loads(message["data"]) == {"to": ["everything", "group:7"], "hint": HINT}


def test_a_hint_to_nobody_is_not_sent(redis_client: Redis) -> None:
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(hints.CHANNEL)
    listener.get_message(timeout=10)
    hints.publish([], HINT)
    hints.publish([hints.to_person(1)], HINT)
    message = listener.get_message(timeout=10)
    assert message is not None
    assert orjson.loads(message["data"])["to"] == ["person:1"]


def test_a_redis_that_is_away_costs_the_hint_and_not_the_change(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"redis_url": "redis://127.0.0.1:1/0"}
    )
    with caplog.at_level(logging.WARNING, logger="accounts.hints"):
        hints.publish([hints.EVERYTHING], HINT)
        ends = monotonic() + 20
        while "hints lost" not in caplog.text and monotonic() < ends:
            sleep(0.01)
    assert "hints lost" in caplog.text


def test_hints_arrive_in_the_order_in_which_they_were_given(redis_client: Redis) -> None:
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(hints.CHANNEL)
    listener.get_message(timeout=10)
    for version in range(250):
        hints.publish([hints.EVERYTHING], {**HINT, "version": version})
    got = [listener.get_message(timeout=10) for _ in range(250)]
    assert [orjson.loads(each["data"])["hint"]["version"] for each in got if each] == list(
        range(250)
    )


def test_a_forked_process_sends_its_own_hints(redis_client: Redis) -> None:
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(hints.CHANNEL)
    listener.get_message(timeout=10)
    hints.publish([hints.EVERYTHING], HINT)
    assert listener.get_message(timeout=10)
    child = os.fork()
    if child == 0:
        hints.publish([hints.EVERYTHING], {**HINT, "version": 4})
        signal.pause()
    message = listener.get_message(timeout=10)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert message is not None
    assert orjson.loads(message["data"])["hint"]["version"] == 4

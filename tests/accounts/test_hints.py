"""Hints go out over Redis at once; a deaf Redis is noticed in the log and nowhere else."""

import logging
import os

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
    assert "hint lost" in caplog.text


def test_a_process_keeps_one_client_and_a_forked_one_makes_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publisher = hints._Publisher()
    kept = publisher.client()
    assert publisher.client() is kept
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert publisher.client() is not kept

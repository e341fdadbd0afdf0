"""What is told after a commit goes over one client for each process."""

import os
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings
from redis import Redis, RedisError

from audit import told
from tests.harness.silent import SilentServer


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


def test_a_process_keeps_one_client_and_a_forked_one_makes_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = told._Kept()
    client, queue = kept.client(), kept.queue("runs")
    assert (kept.client(), kept.queue("runs")) == (client, queue)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert kept.client() is not client
    assert kept.queue("runs") is not queue


def test_a_redis_that_does_not_answer_is_not_waited_for_again_and_again(
    silent: SilentServer, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(told, "AWAY_SECONDS", 3600.0)
    url = f"redis://127.0.0.1:{silent.port}/0"
    with override_settings(COUNTERSIGN=settings.COUNTERSIGN.model_copy(update={"redis_url": url})):
        client = told._Kept().client()
    for _ in range(50):
        with pytest.raises(RedisError):
            client.publish("nobody", b"hears this")
    # One try, and another at once.
    assert silent.connections == 2
    # When that time is over it is asked again.
    client.connection_pool._away_until = 0.0
    with pytest.raises(RedisError):
        client.publish("nobody", b"hears this")
    assert silent.connections == 4


def test_connections_that_are_all_in_use_do_not_make_redis_one_that_is_away(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told, "CONNECTIONS", 1)
    pool = told._Kept().client().connection_pool
    pool.timeout = 0.01
    only = pool.get_connection()
    with pytest.raises(RedisError, match="No connection available"):
        pool.get_connection()
    pool.release(only)
    pool.release(pool.get_connection())
    pool.disconnect()

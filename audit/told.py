"""One Redis client for each process, for what is told once a transaction has committed.

Whoever tells something has committed already and must not wait long: a Redis that is away costs a known,
short time, and what was not told is found by a sweep.
"""

from __future__ import annotations

import os
from queue import Empty
from time import monotonic
from typing import Any, Final

from django.conf import settings
from django_rq import get_queue
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue

TIMEOUT_SECONDS: Final = 0.5
CONNECTIONS: Final = 8
AWAY_SECONDS: Final = 2.0


class Patience(BlockingConnectionPool):
    """Connections to a Redis that is not asked for a while after it did not answer.

    One that is cut off costs the whole time-out each time, and a sweep tells hundreds of things in a row.
    """

    _away_until = 0.0

    def get_connection(self, *args: Any, **options: Any) -> AbstractConnection:
        """A connection that answers. Raises NotConnected at once while Redis is taken to be away."""
        if monotonic() < self._away_until:
            raise NotConnected("Redis did not answer a moment ago")
        try:
            return super().get_connection(*args, **options)
        except RedisError as error:
            # That all of ours are in use says nothing about Redis.
            if not isinstance(error.__context__, Empty):
                self._away_until = monotonic() + AWAY_SECONDS
            raise


class _Kept:
    """The client and the queues of this process and address; never carried over a fork."""

    def __init__(self) -> None:
        self._made_for: tuple[int, str] | None = None
        self._client: Redis | None = None
        self._queues: dict[str, Queue] = {}

    def client(self) -> Redis:
        wanted = (os.getpid(), settings.COUNTERSIGN.redis_url)
        if self._client is None or self._made_for != wanted:
            pool = Patience.from_url(
                wanted[1],
                max_connections=CONNECTIONS,
                timeout=TIMEOUT_SECONDS,
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                # One more try at once: after a restart of Redis the first use meets a dead socket.
                retry=Retry(NoBackoff(), 1),
            )
            self._client = Redis(connection_pool=pool)
            self._made_for = wanted
            self._queues = {}
        return self._client

    def queue(self, name: str) -> Queue:
        client = self.client()
        found = self._queues.get(name)
        if found is None:
            # Made anew for each job it would connect anew, and ask Redis for its version.
            found = self._queues[name] = get_queue(name, connection=client)
        return found


_kept = _Kept()


def client() -> Redis:
    """The client of this process."""
    return _kept.client()


def queue(name: str) -> Queue:
    """The queue of that name, over the client of this process."""
    return _kept.queue(name)

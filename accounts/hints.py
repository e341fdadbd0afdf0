"""Tells connected browsers that something changed. A hint carries no content and may be lost."""

import logging
import os
from typing import TYPE_CHECKING, Final, Literal, TypedDict

import orjson
from django.conf import settings
from redis import BlockingConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Collection

CHANNEL: Final = "countersign:hints"
EVERYTHING: Final = "everything"

# A listener is a convenience: the transaction that tells it has committed and must not wait long.
TIMEOUT_SECONDS: Final = 0.5
CONNECTIONS: Final = 8

log = logging.getLogger(__name__)


class Hint(TypedDict):
    topic: Literal["request", "run"]
    id: str
    version: int
    kind: str


def to_group(group_id: int) -> str:
    return f"group:{group_id}"


def to_person(user_id: int) -> str:
    return f"person:{user_id}"


def to_run(run_id: object) -> str:
    return f"run:{run_id}"


class _Publisher:
    """One client per process and address, made at the first hint, never carried over a fork."""

    def __init__(self) -> None:
        self._made_for: tuple[int, str] | None = None
        self._client: Redis | None = None

    def client(self) -> Redis:
        wanted = (os.getpid(), settings.COUNTERSIGN.redis_url)
        if self._client is None or self._made_for != wanted:
            pool = BlockingConnectionPool.from_url(
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
        return self._client


_publisher = _Publisher()


def publish(to: "Collection[str]", hint: Hint) -> None:
    """Send a hint to the audiences, now. Call it on commit; it never raises for a deaf Redis."""
    if not to:
        return
    message = orjson.dumps({"to": sorted(to), "hint": hint})
    try:
        _publisher.client().publish(CHANNEL, message)
    except (RedisError, OSError):
        log.warning("hint lost: Redis did not take it", exc_info=True)

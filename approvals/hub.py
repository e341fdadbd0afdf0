"""One Redis subscription for each web process, fanned out to its sockets.

The subscription is idle most of the time, so every wait has a limit of our own and silence is
answered by a ping; whatever breaks is joined again with back-off, and then every socket is told to
fetch anew, since hints may have been missed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection
from contextvars import Context
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from accounts.hints import CHANNEL
from approvals.counted import HINTS_DELIVERED, HINTS_DROPPED, SOCKETS
from approvals.mailbox import Mailbox
from approvals.pacing import WHOLE_MS, within

CONNECT_SECONDS: Final = 2.0
#: How long a read waits; also how soon a ping's answer must be there.
LISTEN_SECONDS: Final = 10.0
FIRST_BACKOFF_SECONDS: Final = 0.2
LONGEST_BACKOFF_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class Silence(ConnectionError):
    """Redis did not answer a ping in time."""


class Hub:
    """The sockets of one event loop by audience, and the task that feeds them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._audiences: dict[str, set[Mailbox]] = {}
        self._joined: dict[Mailbox, frozenset[str]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._subscribed = asyncio.Event()

    def join(self, mailbox: Mailbox, audiences: Collection[str]) -> None:
        """Let the mailbox hear what these audiences hear, and nothing else from now on."""
        self._drop(mailbox)
        self._joined[mailbox] = frozenset(audiences)
        for audience in audiences:
            self._audiences.setdefault(audience, set()).add(mailbox)
        if self._listening is None or self._listening.done():
            # It outlives the socket that happens to come first, whose ids its log lines must not carry.
            self._listening = asyncio.get_running_loop().create_task(
                self._listen(), context=Context()
            )

    def leave(self, mailbox: Mailbox) -> None:
        """Forget the mailbox; the last one ends the subscription."""
        self._drop(mailbox)
        if not self._joined and self._listening is not None:
            self._listening.cancel()
            self._listening = None
            self._subscribed.clear()

    @property
    def sockets(self) -> int:
        """How many hear something."""
        return len(self._joined)

    async def subscribed(self, seconds: float = CONNECT_SECONDS) -> bool:
        """Wait until hints arrive, at most so long; says whether they do."""
        try:
            await asyncio.wait_for(self._subscribed.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def deliver(self, message: bytes | str) -> None:
        """Put one published message into the mailboxes of its audiences."""
        try:
            parsed = orjson.loads(message)
            audiences, hint = parsed["to"], parsed["hint"]
            # Only what a hint is made of goes on: never content, whoever published it.
            plain: dict[str, Any] = {
                "topic": str(hint["topic"]),
                "id": str(hint["id"]),
                "version": int(hint["version"]),
                "kind": str(hint["kind"]),
            }
            reached = set().union(*(self._audiences.get(str(to), set()) for to in audiences))
        except (ValueError, KeyError, TypeError):
            log.warning("a hint that cannot be read was dropped")
            return
        if spread := within(len(reached)):
            plain["within"] = spread
        if dropped := sum(not mailbox.put(plain) for mailbox in reached):
            HINTS_DROPPED.add(by=dropped)
        if reached:
            HINTS_DELIVERED.add(by=len(reached))

    def _drop(self, mailbox: Mailbox) -> None:
        for audience in self._joined.pop(mailbox, frozenset()):
            members = self._audiences[audience]
            members.discard(mailbox)
            if not members:
                del self._audiences[audience]

    async def _listen(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        before = False
        while True:
            try:
                async with self._client() as client, client.pubsub() as pubsub:
                    await asyncio.wait_for(pubsub.subscribe(CHANNEL), CONNECT_SECONDS)
                    await self._confirmed(pubsub)
                    if before:
                        spread = within(len(self._joined), WHOLE_MS)
                        for mailbox in list(self._joined):
                            mailbox.put_resync(spread)
                            HINTS_DROPPED.add()
                    before, backoff = True, FIRST_BACKOFF_SECONDS
                    self._subscribed.set()
                    await self._receive(pubsub)
            except (RedisError, OSError, TimeoutError) as error:
                # Sockets stay open: their pages poll slowly meanwhile.
                log.warning("hints are interrupted: %s", error or type(error).__name__)
            except Exception:
                # Without this task every page would fall silent until somebody noticed.
                log.exception("hints failed; they are joined again")
            finally:
                self._subscribed.clear()
            # Everybody who missed hints while this was away is told afterwards.
            before = True
            await asyncio.sleep(backoff * (0.5 + random.random()))  # noqa: S311
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    def _client(self) -> Redis:
        return Redis.from_url(
            self._url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=LISTEN_SECONDS,
            # A reconnection inside the client would be silent, and hints would be missing.
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    async def _confirmed(self, pubsub: PubSub) -> None:
        """Wait for the server's word that the subscription holds."""
        message = await pubsub.get_message(timeout=CONNECT_SECONDS)
        if message is None or message["type"] != "subscribe":
            raise Silence("the subscription was not confirmed")

    async def _receive(self, pubsub: PubSub) -> None:
        pinged = False
        while True:
            message: dict[str, Any] | None = await pubsub.get_message(timeout=LISTEN_SECONDS)
            if message is None:
                if pinged:
                    raise Silence("Redis does not answer")
                await pubsub.ping()
                pinged = True
                continue
            pinged = False
            if message["type"] == "message":
                self.deliver(message["data"])


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The hub of the running event loop; a web process has one."""
    loop = asyncio.get_running_loop()
    found = _hubs.get(loop)
    if found is None:
        found = _hubs[loop] = Hub(settings.COUNTERSIGN.redis_url)
        SOCKETS.asked(_sockets)
    return found


def _sockets() -> int:
    return sum(each.sockets for each in list(_hubs.values()))

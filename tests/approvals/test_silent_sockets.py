"""Sockets whose browsers read nothing, over the real server: what is kept for them, and what it costs the others."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from redis import Redis
from uvicorn.main import main as command_line

from accounts.hints import CHANNEL, to_person
from accounts.models import User
from approvals.hub import hub
from approvals.mailbox import MOST_HINTS, RESYNC
from benchmarks.house import session_cookie
from benchmarks.listening import Listener
from countersign.config import Config
from countersign.programs import web

pytestmark = pytest.mark.django_db(transaction=True)

#: Longer than anything here takes; only a failing test waits for so long.
PATIENCE = 20
LOOK_SECONDS = 0.01
#: Fewer than a mailbox holds, so that whoever reads misses none.
AT_ONCE = 250
#: More than the kernel and the server keep beside the mailbox.
MOST_TOLD = 8_000
#: Those of the command line that a server in this process can have as well.
OPTIONS = (
    "app",
    "http",
    "ws",
    "ws_max_size",
    "ws_ping_interval",
    "ws_per_message_deflate",
    "timeout_graceful_shutdown",
)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(int(PATIENCE / LOOK_SECONDS)):
        if condition():
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise TimeoutError


@asynccontextmanager
async def served() -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """The server of the web process, as it is started, in this event loop; the address of its sockets."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        command = web(Config(port=door.getsockname()[1])).arguments
        given = command_line.make_context("uvicorn", list(command[3:])).params
        options = {name: given[name] for name in OPTIONS}
        server = uvicorn.Server(
            uvicorn.Config(**options, lifespan="off", log_config=None, log_level="error")
        )
        serving = asyncio.create_task(server.serve(sockets=[door]))
        await until(lambda: server.started or serving.done())
        try:
            yield server, f"http://127.0.0.1:{door.getsockname()[1]}/ws/inbox/"
        finally:
            server.should_exit = True
            await serving


class Browser:
    """Somebody's socket to the inbox, the hints that it has heard, and the mailbox that the server keeps for it."""

    def __init__(self, person: User, cookie: str) -> None:
        self.audience = to_person(person.pk)
        self.cookie = cookie
        self.heard: list[dict[str, Any]] = []

    async def open(self, address: str, *, reads: bool = True) -> None:
        known = set(hub()._joined)
        self.listener = Listener(address, self.cookie, self._hear)
        plain = socket.socket()
        # Said before there is a connection: nothing widens it then.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        plain.setblocking(False)
        loop = asyncio.get_running_loop()
        parts = self.listener.address
        await loop.sock_connect(plain, (parts.hostname, parts.port))
        self.port = plain.getsockname()[1]
        await loop.create_connection(lambda: self.listener, sock=plain)
        await asyncio.wait_for(self.listener.opened, PATIENCE)
        (self.mailbox,) = set(hub()._joined) - known
        if not reads:
            self.listener.transport.pause_reading()

    def _hear(self, _moment: int, content: bytes) -> None:
        self.heard.append(json.loads(content))

    def has_heard(self, number: int) -> Callable[[], bool]:
        return lambda: len(self.heard) >= number

    @property
    def is_behind(self) -> bool:
        return list(self.mailbox._hints.values()) == [RESYNC]


async def test_who_reads_nothing_is_kept_little_for_and_dropped_and_holds_nobody_up(
    reviewer: User, second_reviewer: User, operator: User, redis_client: Redis
) -> None:
    people = (reviewer, second_reviewer, operator)
    reader, late, silent = [Browser(p, await sync_to_async(session_cookie)(p)) for p in people]
    told, held = 0, 0

    def publish() -> None:
        audiences = [each.audience for each in (reader, late, silent)]
        with redis_client.pipeline(transaction=False) as pipeline:
            for number in range(told, told + AT_ONCE):
                hint = {"topic": "request", "id": str(number), "version": 1, "kind": "x"}
                pipeline.publish(CHANNEL, json.dumps({"to": audiences, "hint": hint}))
            pipeline.execute()

    async with served() as (server, address):
        await reader.open(address)
        await late.open(address, reads=False)
        await silent.open(address, reads=False)
        while not (late.is_behind and silent.is_behind):
            assert told < MOST_TOLD, "more is kept than the mailbox holds"
            await asyncio.to_thread(publish)
            told += AT_ONCE
            await until(reader.has_heard(told))
            held = max(held, len(late.mailbox), len(silent.mailbox))
        assert [each["id"] for each in reader.heard] == [str(number) for number in range(told)]
        assert 0 < held <= MOST_HINTS

        # Whoever reads again hears what was on its way, in its order, and then that there was more.
        late.listener.transport.resume_reading()
        await until(lambda: RESYNC in late.heard)
        *before, last = late.heard
        assert [each["id"] for each in before] == [str(number) for number in range(len(before))]
        assert (last, len(before) < told) == (RESYNC, True)

        # The next ping, which is not read either.
        (kept,) = [
            each for each in server.server_state.connections if each.client[1] == silent.port
        ]
        kept.ping_timeout = 0.01
        kept.send_keepalive_ping()
        await until(lambda: silent.mailbox not in hub()._joined)
        assert kept not in server.server_state.connections
        assert hub().sockets == 2
        for each in (reader, late, silent):
            each.listener.transport.abort()
        await until(lambda: not hub().sockets)

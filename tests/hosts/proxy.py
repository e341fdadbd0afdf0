"""The proxy before the web hosts: passes connections on to those that are well, and closes those to a dead one.

What HAProxy does in TCP mode with `option redispatch`, `check` and `on-marked-down shutdown-sessions`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeVar

LOOK_SECONDS: Final = 1.0
CONNECT_SECONDS: Final = 1.0
FAILURES_TO_DOWN: Final = 2
CHUNK: Final = 65_536
Given = TypeVar("Given")


@dataclass
class Upstream:
    """A web process: whether it is well, and which connections go to it."""

    host: str
    port: int
    failures: int = 0
    leaving: bool = False
    sessions: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def well(self) -> bool:
        return self.failures < FAILURES_TO_DOWN and not self.leaving


class Proxy:
    """Listens on `host:port` in a thread of its own until `close`."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.url = f"http://{host}:{port}"
        self.upstreams: list[Upstream] = []
        self._turn = count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._ask(asyncio.start_server(self._serve, host, port))
        self._looking = asyncio.run_coroutine_threadsafe(self._look_for_ever(), self._loop)

    def add(self, host: str, port: int) -> Upstream:
        """Send connections there too."""
        made = Upstream(host, port)
        self.upstreams.append(made)
        return made

    def let_go(self, upstream: Upstream) -> None:
        """Send nothing new there; what is open goes on."""
        upstream.leaving = True

    def remove(self, upstream: Upstream) -> None:
        """Forget it."""
        self.upstreams.remove(upstream)

    def close(self) -> None:
        """End."""
        self._looking.cancel()
        self._ask(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _end(self) -> None:
        self._server.close()
        sessions = [task for each in self.upstreams for task in each.sessions]
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    def _ask(self, work: Coroutine[Any, Any, Given]) -> Given:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turn = next(self._turn)
        well = [each for each in self.upstreams if each.well] or list(self.upstreams)
        for upstream in well[turn % len(well) :] + well[: turn % len(well)] if well else ():
            try:
                theirs = await asyncio.wait_for(
                    asyncio.open_connection(upstream.host, upstream.port), CONNECT_SECONDS
                )
            except (OSError, TimeoutError):
                continue
            task = asyncio.current_task()
            assert task is not None
            upstream.sessions.add(task)
            try:
                await _both_ways((reader, writer), theirs)
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
            except asyncio.CancelledError:
                # Marked down: the client is told by the end of its connection.
                pass
            finally:
                upstream.sessions.discard(task)
                for each in (writer, theirs[1]):
                    each.transport.abort()
            return
        writer.transport.abort()

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.gather(*(self._look(each) for each in list(self.upstreams)))
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, upstream: Upstream) -> None:
        if await _lives(upstream):
            upstream.failures = 0
            return
        upstream.failures += 1
        if upstream.failures >= FAILURES_TO_DOWN:
            for task in list(upstream.sessions):
                task.cancel()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _lives(upstream: Upstream) -> bool:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
            try:
                writer.write(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n")
                line = await reader.readline()
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in line


async def _both_ways(ours: Ends, theirs: Ends) -> None:
    """Until the web process has said all, or either side is gone."""
    asking = asyncio.create_task(_pass_on(ours[0], theirs[1]))
    try:
        await _pass_on(theirs[0], ours[1])
    finally:
        asking.cancel()


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        # One side is gone: the other hears of it by its own end.
        sink.transport.abort()

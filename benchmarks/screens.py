"""Inbox pages that do what static/js/looks.js and inbox.js do: hear a hint, wait their turn, fetch the row.

What is left out is the browser itself: a row counts as on the screen when its fragment was received.
"""

import asyncio
import random
from collections.abc import Callable
from time import monotonic_ns
from urllib.parse import urlsplit

import orjson

from benchmarks.listening import Listener

#: As in static/js/looks.js and inbox.js.
AT_ONCE_MS, REST_TIMES, AT_MOST_EVERY_MS, NAMED_MOST = 150, 2, 300, 20
#: A browser keeps a connection, and makes a new one where the server has closed it.
MOST_WAIT_SECONDS = 60


class Screen:
    """One reviewer's page. `shown` says when each request's row came, in nanoseconds by id."""

    def __init__(self, url: str, cookie: str, told: Callable[[], None]) -> None:
        self.url = url
        self.cookie = cookie
        self.shown: dict[str, int] = {}
        self.looks = 0
        self._told = told
        self._named: set[str] = set()
        self._spread = 0.0
        self._rested_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asking = asyncio.Lock()
        self.listener: Listener | None = None

    async def open(self) -> "Screen":
        """Connect the socket, and look at the whole list once, as a page does."""
        self.listener = await Listener.connect(f"{self.url}/ws/inbox/", self.cookie, self._heard)
        await self._get("/inbox/rows/?tab=team&q=")
        return self

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self.listener is not None:
            self.listener.transport.abort()
        self._hang_up()

    def _heard(self, _moment: int, content: bytes) -> None:
        hint = orjson.loads(content)
        if hint["topic"] != "request":
            return
        self._named.add(hint["id"])
        spread = float(hint.get("within", 0))
        self._spread = max(self._spread, spread)
        if self._task is None:
            turn = max(0.0, random.random() * spread - AT_ONCE_MS) / 1e3
            self._task = asyncio.get_running_loop().create_task(self._look(turn))

    def require_well(self) -> None:
        """Raise what ended this page's looking, where something did."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def _look(self, turn: float) -> None:
        try:
            await self._look_once(turn)
        finally:
            self._told()

    async def _look_once(self, turn: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(turn, self._rested_at - loop.time()))
        named, self._named = self._named, set()
        rest = max(AT_MOST_EVERY_MS, self._spread * REST_TIMES) / 1e3
        self._spread = 0.0
        names = "" if len(named) > NAMED_MOST else "".join(f"&id={name}" for name in named)
        text = await self._get(f"/inbox/rows/?tab=team&q={names}")
        moment = monotonic_ns()
        self.looks += 1
        for name in named:
            if f"row-{name}".encode() in text:
                self.shown.setdefault(name, moment)
        self._rested_at = loop.time() + rest
        self._task = None
        if self._named:
            self._task = loop.create_task(self._look(0))

    async def _get(self, path: str) -> bytes:
        # A hint may come while the page is still being opened; it has one connection.
        async with self._asking:
            status, body = await asyncio.wait_for(self._ask(path), MOST_WAIT_SECONDS)
        if status != 200:
            raise RuntimeError(f"{path} answered {status}")
        return body

    async def _ask(self, path: str) -> tuple[int, bytes]:
        for _ in range(2):
            try:
                return await self._exchange(path)
            except (ConnectionError, asyncio.IncompleteReadError):
                # The server has closed a connection that nobody used for a while.
                self._hang_up()
        raise ConnectionError(path)

    async def _exchange(self, path: str) -> tuple[int, bytes]:
        address = urlsplit(self.url)
        if self._connection is None:
            self._connection = await asyncio.open_connection(address.hostname, address.port)
        reader, writer = self._connection
        head = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nHX-Request: true\r\n"
        writer.write(f"{head}Cookie: {self.cookie}\r\n\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().lower().split("\r\n")
        size = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
        return int(lines[0].split()[1]), await reader.readexactly(size)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None


class Screens:
    """Many of them."""

    def __init__(self) -> None:
        self.all: list[Screen] = []
        self._changed = asyncio.Event()

    async def open(self, url: str, cookies: list[str]) -> None:
        """One page for each cookie, one after the other."""
        for cookie in cookies:
            self.all.append(await Screen(url, cookie, self._changed.set).open())

    async def close(self) -> None:
        for screen in self.all:
            await screen.close()

    async def show(self, name: str, since: int, patience_seconds: float = 120) -> list[float]:
        """Milliseconds from `since` until the row of that request is on each of them."""

        async def on_all() -> None:
            waiting = self.all
            while waiting := [screen for screen in waiting if name not in screen.shown]:
                self._changed.clear()
                await self._changed.wait()
                for screen in waiting:
                    screen.require_well()

        await asyncio.wait_for(on_all(), patience_seconds)
        return [(screen.shown[name] - since) / 1e6 for screen in self.all]

    @property
    def looks(self) -> int:
        return sum(screen.looks for screen in self.all)

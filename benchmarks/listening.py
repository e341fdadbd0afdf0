"""A browser's socket, as cheap as it can be: what is measured is the server, not this client."""

import asyncio
from collections.abc import Callable
from time import monotonic_ns
from typing import Any
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
NO_MASK = b"\0\0\0\0"

Heard = Callable[[int, bytes], None]


class Listener(asyncio.Protocol):
    """Tells of each text message with the moment it came, in nanoseconds of the monotonic clock; answers pings."""

    def __init__(self, url: str, cookie: str, heard: Heard) -> None:
        self.address = urlsplit(url)
        self.cookie = cookie
        self.heard = heard
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self._unread = b""
        self._greeted = False

    @classmethod
    async def connect(cls, url: str, cookie: str, heard: Heard) -> "Listener":
        """Open the socket at `url` (http://host:port/path). Raises ConnectionError where it is refused."""
        address = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, listener = await loop.create_connection(
            lambda: cls(url, cookie, heard), address.hostname or "", address.port or 80
        )
        await listener.opened
        return listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        origin = f"{self.address.scheme}://{self.address.netloc}"
        lines = [
            f"GET {self.address.path or '/'} HTTP/1.1",
            f"Host: {self.address.netloc}",
            f"Origin: {origin}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            f"Cookie: {self.cookie}",
        ]
        self.transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        moment = monotonic_ns()
        self._unread += data
        if not self._greeted and not self._greet():
            return
        while (frame := self._frame()) is not None:
            kind, content = frame
            if kind == TEXT:
                self.heard(moment, content)
            elif kind == PING:
                self.transport.write(bytes([0x80 | PONG, 0x80 | len(content)]) + NO_MASK + content)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the socket was refused"))

    def _greet(self) -> bool:
        head, end, rest = self._unread.partition(b"\r\n\r\n")
        if not end:
            return False
        if b" 101 " not in head.split(b"\r\n")[0]:
            self.transport.close()
            return False
        self._greeted, self._unread = True, rest
        self.opened.set_result(None)
        return True

    def _frame(self) -> tuple[int, bytes] | None:
        """Kind and content of the next whole message; a server sends short ones, in one frame, without a mask."""
        data = self._unread
        if len(data) < 2:
            return None
        start, size = 2, data[1] & 0x7F
        if size == 126:
            start, size = 4, int.from_bytes(data[2:4])
        if len(data) < start + size:
            return None
        self._unread = data[start + size :]
        return data[0] & 0x0F, data[start : start + size]


class Crowd:
    """Sockets that wait for the same hint."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self._moments: list[int] = []
        self._all = asyncio.Event()

    async def join(self, url: str, cookies: list[str]) -> None:
        """One socket for each cookie."""
        for cookie in cookies:
            self.listeners.append(await Listener.connect(url, cookie, self._heard))

    def _heard(self, moment: int, content: bytes) -> None:
        if b'"request"' not in content:
            return
        self._moments.append(moment)
        if len(self._moments) == len(self.listeners):
            self._all.set()

    async def reached(self, tell: Callable[[], Any], patience_seconds: float = 30) -> list[float]:
        """Milliseconds until each has heard, from the moment that `tell` returns (nanoseconds)."""
        self._moments.clear()
        self._all.clear()
        told = await tell()
        await asyncio.wait_for(self._all.wait(), patience_seconds)
        return [(moment - told) / 1e6 for moment in self._moments]

    def leave(self) -> None:
        for listener in self.listeners:
            listener.transport.abort()
        self.listeners.clear()

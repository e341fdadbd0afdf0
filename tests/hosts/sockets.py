"""Reviewers' browsers, as far as the network knows them: sockets to the inbox that connect again and look anew."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

#: What `static/js/live.js` waits: half a second first, doubled each time, with jitter.
FIRST_BACKOFF_SECONDS: Final = 0.5
LONGEST_BACKOFF_SECONDS: Final = 30.0


@dataclass
class Reader:
    """One socket: what it has heard of, and when it was open."""

    opened: int = 0
    lost_at: float | None = None
    longest_away: float = 0.0
    heard: set[str] = field(default_factory=set)
    resyncs: int = 0
    is_open: bool = False
    trouble: str = ""


class Sockets:
    """So many sockets at one address with one session's cookie, in a thread of their own."""

    def __init__(self, address: str, cookie: str, number: int) -> None:
        self.address = address
        self.cookie = cookie
        self.readers = [Reader() for _ in range(number)]
        self._over = False
        self._thread = threading.Thread(target=self._run, name="sockets", daemon=True)
        self._thread.start()

    @property
    def open(self) -> int:
        return sum(reader.is_open for reader in self.readers)

    @property
    def reconnections(self) -> int:
        return sum(max(0, reader.opened - 1) for reader in self.readers)

    def begin(self) -> None:
        """Measure anew for how long sockets are away."""
        for reader in self.readers:
            reader.longest_away = 0.0

    @property
    def longest_away(self) -> float:
        """Seconds from the end of a socket to the next one, at most."""
        return max(reader.longest_away for reader in self.readers)

    def close(self) -> None:
        """End them."""
        self._over = True
        self._loop.call_soon_threadsafe(self._all.cancel)
        self._thread.join(10)

    def _run(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._read_all())

    async def _read_all(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._all = asyncio.gather(*(self._read(reader) for reader in self.readers))
        await self._all

    async def _read(self, reader: Reader) -> None:
        attempts = 0
        while not self._over:
            try:
                async with connect(
                    f"ws://{self.address}/ws/inbox/",
                    origin=f"http://{self.address}",  # type: ignore[arg-type]
                    additional_headers={"Cookie": self.cookie},
                    open_timeout=5,
                ) as socket:
                    attempts = 0
                    self._note_open(reader)
                    async for message in socket:
                        hint = json.loads(message)
                        reader.resyncs += hint["kind"] == "resync"
                        reader.heard.add(hint["id"])
            except (OSError, TimeoutError, WebSocketException) as error:
                reader.trouble = f"{type(error).__name__}: {error}"
            finally:
                if reader.is_open:
                    reader.is_open, reader.lost_at = False, time.monotonic()
            ceiling = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2**attempts)
            attempts += 1
            await asyncio.sleep(ceiling / 2 + random.random() * ceiling / 2)

    def _note_open(self, reader: Reader) -> None:
        reader.is_open = True
        reader.opened += 1
        if reader.lost_at is not None:
            reader.longest_away = max(reader.longest_away, time.monotonic() - reader.lost_at)

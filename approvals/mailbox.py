"""What waits to be sent to one socket: bounded, and only the newest of each thing. Pure."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, Final

#: A page that is further behind than this fetches its lists anew instead.
MOST_HINTS: Final = 500

Hint = dict[str, Any]

#: Says: something was missed, fetch what you show again.
RESYNC: Final[Hint] = {"topic": "all", "id": "", "version": 0, "kind": "resync"}


class Mailbox:
    """Hints on their way to one socket. Belongs to one event loop."""

    def __init__(self, most: int = MOST_HINTS) -> None:
        self._most = most
        self._hints: OrderedDict[tuple[str, str], Hint] = OrderedDict()
        self._filled = asyncio.Event()

    def put(self, hint: Hint) -> bool:
        """Add a hint; an older version of the same thing gives way to it. False where that was one too many, and
        the page is to fetch everything instead."""
        key = (str(hint.get("topic")), str(hint.get("id")))
        if ("all", "") in self._hints:
            return True
        waiting = self._hints.get(key)
        if waiting is not None and waiting["version"] > hint["version"]:
            return True
        self._hints[key] = hint
        fits = len(self._hints) <= self._most
        if not fits:
            self._hints.clear()
            self._hints[("all", "")] = RESYNC
        self._filled.set()
        return fits

    def put_resync(self, within: int = 0) -> None:
        """Drop what waits: the page fetches everything anyway, within so many milliseconds where many do."""
        self._hints.clear()
        self._hints[("all", "")] = {**RESYNC, "within": within} if within else RESYNC
        self._filled.set()

    async def take(self) -> Hint:
        """The next hint, oldest first; waits for one."""
        await self._filled.wait()
        _, hint = self._hints.popitem(last=False)
        if not self._hints:
            self._filled.clear()
        return hint

    def __len__(self) -> int:
        return len(self._hints)

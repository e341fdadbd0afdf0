"""Looks are answered a few at a time, and whatever else is asked stands beside few of them, not behind hundreds.

Each answer of Django has a thread, and threads share one processor: fifty pages that look at a new row at the same
moment would be fifty threads between each two steps of a decision. They wait here instead, where waiting costs nothing.
"""

import asyncio
from collections.abc import Collection

from countersign.body_limit import Application, Message, Receive, Scope, Send

AT_ONCE = 2
BODY = (b"content-length", b"transfer-encoding")


class InTurn:
    """Lets so many requests for these paths into the application at a time, the first that came first."""

    def __init__(
        self, application: Application, *, paths: Collection[str], at_once: int = AT_ONCE
    ) -> None:
        self.application = application
        self.paths = frozenset(paths)
        self.turns = asyncio.Semaphore(at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Whoever sends a body may do so for ever: nobody waits behind that.
        if scope["path"] not in self.paths or any(name in BODY for name, _ in scope["headers"]):
            await self.application(scope, receive, send)
            return
        await self.turns.acquire()
        holds = True

        def give_back() -> None:
            nonlocal holds
            if holds:
                holds = False
                self.turns.release()

        async def answering(message: Message) -> None:
            # The answer is made by now; how fast it is read is the reader's affair.
            give_back()
            await send(message)

        try:
            await self.application(scope, receive, answering)
        finally:
            give_back()

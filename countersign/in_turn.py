"""Looks are answered a few at a time, and whoever does something stands behind none of them.

Each answer of Django has a thread, and threads share one processor: fifty pages that look at a new row at the same
moment would be fifty threads between each two steps of a decision. They wait here instead, where waiting costs nothing,
and those that wait are answered in a row: no thread is started and no connection fetched and tried for each. While
somebody's decision is under way no look is begun, for as long as decisions take: what one person does shows before what
five hundred see of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass
from threading import Event
from typing import Any, Final, Protocol

from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.http.response import HttpResponseBase

from countersign.body_limit import Application, Receive, Scope, Send

AT_ONCE: Final = 2
#: After so many answers in a row a thread gives its connection back, which is tried before it is used again.
MOST_IN_A_ROW: Final = 100
#: A look gives way for no longer: what is done may take minutes, and whoever only looks is to see something.
GIVES_WAY_SECONDS: Final = 0.1
METHODS: Final = ("GET", "HEAD")
BODY: Final = (b"content-length", b"transfer-encoding")


class Pages(Protocol):
    """Answers in the thread that asks; `countersign.in_one_thread`."""

    @property
    def quiet(self) -> Event:
        """Set while nobody does anything."""
        ...

    def answer(self, scope: Any) -> HttpResponseBase: ...

    async def send_response(self, response: HttpResponseBase, send: Any) -> None: ...


@dataclass(frozen=True)
class Look:
    """One that waits, with what its request set around it (the trace it belongs to)."""

    scope: Scope
    context: Context
    answered: asyncio.Future[HttpResponseBase]


class InTurn:
    """Has `pages` answer so many requests for these paths at a time, the first that came first; passes on the rest."""

    def __init__(
        self,
        application: Application,
        *,
        pages: Pages,
        paths: Collection[str],
        at_once: int = AT_ONCE,
    ) -> None:
        self.application = application
        self.pages = pages
        self.paths = frozenset(paths)
        self.at_once = at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="looks")
        self._waiting: deque[Look] = deque()
        self._sittings = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_look(scope):
            await self.application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        look = Look(scope, copy_context(), loop.create_future())
        self._waiting.append(look)
        self._seat(loop)
        # How fast an answer is read is its reader's affair: the thread is with the next look by now.
        await self.pages.send_response(await look.answered, send)

    def _is_look(self, scope: Scope) -> bool:
        # Whoever sends a body may do so for ever: nobody waits behind that.
        return (
            scope["path"] in self.paths
            and scope["method"] in METHODS
            and not any(name in BODY for name, _ in scope["headers"])
        )

    def _seat(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting and self._sittings < self.at_once:
            self._sittings += 1
            loop.run_in_executor(self._threads, self._sit, loop)

    def _sit(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer what waits, one after the other."""
        # Robust: a receiver that fails is logged, and no turn is lost by it.
        request_started.send_robust(sender=type(self), scope=None)
        try:
            for _ in range(MOST_IN_A_ROW):
                self.pages.quiet.wait(GIVES_WAY_SECONDS)
                try:
                    look = self._waiting.popleft()
                except IndexError:
                    break
                self._answer(look, loop)
        finally:
            # Gives the connection back. The answers hold nothing that is to be closed.
            request_finished.send_robust(sender=type(self))
            loop.call_soon_threadsafe(self._rise, loop)

    def _rise(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sittings -= 1
        self._seat(loop)

    def _answer(self, look: Look, loop: asyncio.AbstractEventLoop) -> None:
        if look.answered.done():
            return  # whoever asked has gone
        response: HttpResponseBase | Exception
        try:
            response = look.context.run(self.pages.answer, look.scope)
        except Exception as error:  # noqa: BLE001 (whoever asked is told, in their own task)
            response = error
        if any(each.errors_occurred for each in connections.all(initialized_only=True)):
            close_old_connections()
        loop.call_soon_threadsafe(_tell, look.answered, response)


def _tell(asked: asyncio.Future[HttpResponseBase], response: HttpResponseBase | Exception) -> None:
    if asked.done():
        return  # whoever asked has gone
    if isinstance(response, Exception):
        asked.set_exception(response)
    else:
        asked.set_result(response)

"""Foreign code with a deadline: it runs on a thread of its own, and whoever called waits only so long.

Python cannot end a thread. One that outlives its deadline is left behind and replaced; what it answers
later is heard by nobody. A worker process with such a thread ends itself after the run at hand.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog
from django.db import close_old_connections, connections

from agents.tools import Tool

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
Outcome = tuple[Any, BaseException | None]
Work = tuple[Context, Callable[[], Any], SimpleQueue[Outcome]]


class TimedOut(Exception):
    """The call took longer than it may; whether it goes on, and what it does, is not known."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"It took longer than {seconds:g} seconds.")
        self.seconds = seconds


class ToolThreads:
    """Idle threads of this process, each waiting for work at an inbox; one more is made when all work."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Work | None]] = []
        self.left_behind = 0

    def forget(self) -> None:
        """Begin anew in a process that was forked: threads stay with the parent."""
        self._idle = []
        self.left_behind = 0

    def call(self, seconds: float, function: Callable[[], Answer]) -> Answer:
        """What the function returns or raises, within so many seconds; else TimedOut.

        It sees the caller's context variables, and has a database connection that is not the caller's.
        """
        answer: SimpleQueue[Outcome] = SimpleQueue()
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = self._started()
        inbox.put((copy_context(), function, answer))
        try:
            value, error = answer.get(timeout=seconds)
        except Empty:
            self.left_behind += 1
            log.warning("thread_left_behind", seconds=seconds)
            inbox.put(None)
            raise TimedOut(seconds) from None
        except BaseException:
            # A signal ended the wait; the thread ends with what it does.
            inbox.put(None)
            raise
        self._idle.append(inbox)
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def _started(self) -> SimpleQueue[Work | None]:
        inbox: SimpleQueue[Work | None] = SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="tool", daemon=True).start()
        return inbox


def _serve(inbox: SimpleQueue[Work | None]) -> None:
    try:
        while (work := inbox.get()) is not None:
            context, function, answer = work
            answer.put(_outcome(context, function))
            del work, context, function, answer
            close_old_connections()
    finally:
        connections.close_all()


def _outcome(context: Context, function: Callable[[], Any]) -> Outcome:
    try:
        return context.run(function), None
    # Whatever it is, the caller is who must see it.
    except BaseException as error:  # noqa: BLE001
        return None, error


def bounded(tool: Tool, function: Callable[..., Answer], *given: Any) -> Answer:
    """What one of the tool's functions returns or raises, within the tool's time; else TimedOut."""
    return threads.call(tool.timeout_seconds, partial(function, *given))


threads = ToolThreads()
os.register_at_fork(after_in_child=threads.forget)

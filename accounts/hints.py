"""Tells connected browsers that something changed. A hint carries no content and may be lost."""

import logging
import os
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Literal, TypedDict

import orjson
from redis import RedisError

from audit.counts import Counted
from audit.fault_points import reached
from audit.told import client

if TYPE_CHECKING:
    from collections.abc import Collection

CHANNEL: Final = "countersign:hints"
EVERYTHING: Final = "everything"
"""The audience of those who may see everything."""
EVERYBODY: Final = "everybody"
"""The audience of all who are signed in."""
MOST_AT_ONCE: Final = 100
HINTS_SENT: Final = Counted("countersign_hints_sent_total", "Hints that Redis took.")
HINTS_LOST: Final = Counted(
    "countersign_hints_lost_total", "Hints that Redis did not take: pages look again by themselves."
)

log = logging.getLogger(__name__)


class Hint(TypedDict):
    topic: Literal["request", "run", "switch", "presence", "session"]
    id: str
    version: int
    kind: str


def to_group(group_id: int) -> str:
    return f"group:{group_id}"


def to_person(user_id: int) -> str:
    return f"person:{user_id}"


def to_run(run_id: object) -> str:
    return f"run:{run_id}"


def to_session(handle: str) -> str:
    """The sockets of one session, by `accounts.session_uses.handle_of` its key."""
    return f"session:{handle}"


class _Outbox:
    """Hints on their way: a thread of the process sends them, many at once where many wait.

    Whoever has a hint to give has committed, and has better things to do than to wait for Redis; between
    an approval and its effect above all. A process that dies takes its last hints along, as it may.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[bytes] = SimpleQueue()
        self._sender: threading.Thread | None = None
        self._made_in = 0

    def put(self, message: bytes) -> None:
        if self._sender is None or self._made_in != os.getpid():
            self._start()
        self._waiting.put(message)

    def _start(self) -> None:
        with self._lock:
            if self._sender is not None and self._made_in == os.getpid():
                return
            # A forked process has the parent's queue, but not its thread.
            self._waiting = SimpleQueue()
            self._made_in = os.getpid()
            self._sender = threading.Thread(target=self._send_for_ever, name="hints", daemon=True)
            self._sender.start()

    def _send_for_ever(self) -> None:
        waiting = self._waiting
        while True:
            messages = [waiting.get()]
            while len(messages) < MOST_AT_ONCE:
                try:
                    messages.append(waiting.get_nowait())
                except Empty:
                    break
            _send(messages)


def _send(messages: list[bytes]) -> None:
    try:
        with client().pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.publish(CHANNEL, message)
            pipeline.execute()
        HINTS_SENT.add(by=len(messages))
    except (RedisError, OSError):
        HINTS_LOST.add(by=len(messages))
        log.warning("hints lost: Redis did not take %s", len(messages), exc_info=True)


_outbox = _Outbox()


def publish(to: "Collection[str]", hint: Hint) -> None:
    """Send a hint to the audiences, soon. Call it on commit; it neither waits nor raises."""
    if not to:
        return
    reached("hint.unsent", hint["kind"])
    _outbox.put(orjson.dumps({"to": sorted(to), "hint": hint}))

"""Where actions are recorded, outside of every system that is measured: a list in Redis.

Imported in the environments of peers too: standard library and redis only.
"""

import os
import signal
from dataclasses import dataclass
from time import monotonic_ns
from typing import cast

from redis import Redis

EXECUTED = "benchmarks:executed"
KILL = "benchmarks:kill"
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Execution:
    """That the action of a cycle was executed; the moment is of the monotonic clock, in nanoseconds."""

    number: int
    moment: int


class Recorder:
    """One connection to the list."""

    def __init__(self, redis_url: str) -> None:
        self.redis = Redis.from_url(redis_url, socket_timeout=PATIENCE_SECONDS + 5)

    def note(self, number: int, moment: int) -> None:
        """The action itself."""
        self.redis.rpush(EXECUTED, f"{number}:{moment}")

    def act(self, number: int) -> None:
        """Note this moment; die right after it, once, where the test of a crash asks for that."""
        self.note(number, monotonic_ns())
        if self.redis.getdel(KILL):
            os.kill(os.getpid(), signal.SIGKILL)

    def forget(self) -> None:
        """Begin with an empty list."""
        self.redis.delete(EXECUTED)

    def arm(self) -> None:
        """Let the next action kill its process."""
        self.redis.set(KILL, "1")

    def wait(self) -> Execution:
        """Take the next execution off the list, waiting for it. Raises TimeoutError."""
        return _read(self.pop(EXECUTED))

    def all(self) -> list[Execution]:
        """Every execution on the list."""
        return [_read(entry) for entry in cast("list[bytes]", self.redis.lrange(EXECUTED, 0, -1))]

    def pop(self, name: str) -> bytes:
        """Wait for an entry of a list and take it. Raises TimeoutError."""
        popped = cast(
            "tuple[bytes, bytes] | None", self.redis.blpop([name], timeout=PATIENCE_SECONDS)
        )
        if popped is None:
            raise TimeoutError(f"nothing came on {name} in {PATIENCE_SECONDS} s")
        return popped[1]


def _read(entry: bytes) -> Execution:
    number, moment = entry.split(b":")
    return Execution(int(number), int(moment))


def twice(numbers: list[int]) -> int:
    """How many executions there are too many."""
    return len(numbers) - len(set(numbers))

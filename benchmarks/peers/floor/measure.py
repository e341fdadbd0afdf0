"""The bare floor: commit a row, push to Redis, pop in a waiting process, commit the result.

No agent, no model, no checks: what the two servers alone ask for. `executed` is after the commit of
the result. In a burst each process does its own share, so that nobody waits for anybody.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.peers.driver import Moments, Recorded, main, now
from benchmarks.recorder import PATIENCE_SECONDS, Recorder

QUEUE = "benchmarks:floor"
TABLE = "CREATE TABLE IF NOT EXISTS floor (id bigint PRIMARY KEY, state text NOT NULL)"
INSERT = "INSERT INTO floor (id, state) VALUES (%s, 'queued')"
UPDATE = "UPDATE floor SET state = %s WHERE id = %s"


def worker(queue: str) -> None:
    """Work until an empty text comes."""
    side = Side(queue)
    while side.work():
        pass


class Side:
    """One connection to each server, and a queue."""

    def __init__(self, queue: str) -> None:
        self.recorder = Recorder(os.environ["REDIS_URL"])
        self.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        self.queue = queue

    def commit(self, statement: str, values: list[Any]) -> None:
        """One statement, durable when this returns."""
        self.connection.execute(statement, values)

    def hand_over(self, state: str, number: int) -> None:
        """Let whoever pops next bring the row into that state."""
        self.recorder.redis.rpush(self.queue, f"{state}:{number}")

    def work(self) -> bool:
        """Pop one, commit it and say so; False at an empty text."""
        popped = self.recorder.pop(self.queue)
        if not popped:
            return False
        state, number = popped.decode().split(":")
        self.commit(UPDATE, [state, int(number)])
        if state == "done":
            self.recorder.note(int(number), now())
        else:
            self.recorder.redis.rpush(f"{self.queue}:{state}", number)
        return True


class Floor(Recorded):
    """A row that becomes `waiting`, `approved` and `done`."""

    #: The module that works when it is run with `worker` and a queue.
    program = __spec__.name

    def __init__(self, side: type[Side] = Side) -> None:
        self.side = side(f"{QUEUE}:{os.getpid()}")
        self.own = side(f"{QUEUE}:{os.getpid()}:burst")
        self.side.commit(TABLE, [])
        self.worker: subprocess.Popen[bytes] | None = None

    def cycle(self, number: int) -> Moments:
        if self.worker is None:
            command = [sys.executable, "-m", self.program, "worker", self.side.queue]
            self.worker = subprocess.Popen(command)
        began = now()
        self.side.commit(INSERT, [number])
        self.side.hand_over("waiting", number)
        self.side.recorder.pop(f"{self.side.queue}:waiting")
        parked = now()
        self.side.commit(UPDATE, ["approved", number])
        committed = now()
        self.side.hand_over("done", number)
        return Moments(began, parked, parked, committed, None)

    def park(self, numbers: Sequence[int]) -> int:
        for number in numbers:
            self.own.commit(INSERT, [number])
            self.own.hand_over("waiting", number)
            self.own.work()
        return len(numbers)

    def approve(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.own.commit(UPDATE, ["approved", number])
            self.own.hand_over("done", number)
            self.own.work()

    def recover(self, number: int) -> dict[str, Any]:
        raise NotImplementedError("the floor promises nothing")

    def close(self) -> None:
        if self.worker is not None:
            self.side.recorder.redis.rpush(self.side.queue, "")
            self.worker.wait(PATIENCE_SECONDS)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        worker(sys.argv[2])
    else:
        main(["bare"], lambda _mode, _name: Floor(), durable=False)

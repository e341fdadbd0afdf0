"""The queue alone: as the floor, but what is handed over is a job of RQ, which a waiting `SimpleWorker` performs.

No Django, no agent, no model, no checks: what the queue that the product is built on asks for by itself. Results of
jobs are not kept. In a burst each process does its own share.
"""

import os
import sys
from collections.abc import Sequence

from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from benchmarks.peers.driver import main
from benchmarks.peers.floor.measure import INSERT, UPDATE, Floor
from benchmarks.peers.rq.jobs import QueueSide
from benchmarks.recorder import PATIENCE_SECONDS


def worker(queue: str) -> SimpleWorker:
    """One that performs what is handed over, in its own process."""
    return SimpleWorker(
        [queue], connection=Redis.from_url(os.environ["REDIS_URL"]), serializer=JSONSerializer
    )


class Queued(Floor):
    """The same rows, by jobs."""

    program = __spec__.name

    def __init__(self) -> None:
        super().__init__(QueueSide)

    def park(self, numbers: Sequence[int]) -> int:
        for number in numbers:
            self.own.commit(INSERT, [number])
            self.own.hand_over("waiting", number)
        worker(self.own.queue).work(burst=True, logging_level="ERROR")
        return len(numbers)

    def approve(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.own.commit(UPDATE, ["approved", number])
            self.own.hand_over("done", number)
        worker(self.own.queue).work(burst=True, logging_level="ERROR")

    def close(self) -> None:
        if self.worker is not None:
            self.worker.terminate()
            self.worker.wait(PATIENCE_SECONDS)


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        worker(sys.argv[2]).work(logging_level="ERROR")
    else:
        main(["bare"], lambda _mode, _name: Queued(), durable=False)

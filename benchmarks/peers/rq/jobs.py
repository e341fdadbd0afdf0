"""The job, and how it is put: RQ finds it by its module's name, which a script that is run does not have."""

from functools import cache

from rq import Queue
from rq.serializers import JSONSerializer

from benchmarks.peers.driver import now
from benchmarks.peers.floor.measure import UPDATE, Side


class QueueSide(Side):
    """One connection to each server, and a queue of RQ."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self.jobs = Queue(queue, connection=self.recorder.redis, serializer=JSONSerializer)

    def hand_over(self, state: str, number: int) -> None:
        self.jobs.enqueue(carry_out, self.queue, state, number, result_ttl=0)


@cache
def _side(queue: str) -> QueueSide:
    return QueueSide(queue)


def carry_out(queue: str, state: str, number: int) -> None:
    """The job: bring the row into that state and say so."""
    side = _side(queue)
    side.commit(UPDATE, [state, number])
    if state == "done":
        side.recorder.note(number, now())
    else:
        side.recorder.redis.rpush(f"{queue}:{state}", number)

"""What a worker of the queue `background` does, in this process."""

from __future__ import annotations

from unittest.mock import patch

from django.conf import settings
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from agents.worker import AdvancingWorker
from audit.background_jobs import BACKGROUND


def work() -> int:
    """Do what stands in the queue until nothing does; how many jobs that were."""
    with Redis.from_url(settings.COUNTERSIGN.redis_url) as redis:
        queue = Queue(BACKGROUND, connection=redis, serializer=JSONSerializer)
        worker = AdvancingWorker([queue], connection=redis, prepare_for_work=False)
        # The connection of the test may hold its transaction.
        with patch("agents.worker.close_old_connections"):
            done = _drained(worker)
    return done


def _drained(worker: AdvancingWorker) -> int:
    done = 0
    while (found := worker._pop(None)) is not None:
        worker.execute_job(*found)
        done += 1
    return done

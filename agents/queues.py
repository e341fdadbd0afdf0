"""The only place that names jobs: waking a run."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from django_rq import get_queue
from redis import RedisError

RESUMES = "resumes"
RUNS = "runs"
FAILURE_TTL_SECONDS = 3600

log = structlog.get_logger(__name__)


def wake_on_commit(run_id: UUID, wake_seq: int, queue: str) -> None:
    """Once the transaction has committed, tell a worker that the run may go on."""
    transaction.on_commit(partial(wake, run_id, wake_seq, queue), robust=True)


def wake(run_id: UUID, wake_seq: int, queue: str) -> None:
    """Put `advance(run_id)` on the queue, now. A lost wake-up is found by the sweep."""
    try:
        get_queue(queue).enqueue(
            "agents.jobs.advance_run",
            str(run_id),
            job_id=f"run-{run_id}-{wake_seq}",
            job_timeout=-1,
            result_ttl=0,
            failure_ttl=FAILURE_TTL_SECONDS,
        )
    except (RedisError, OSError) as error:
        log.warning("wake_lost", run=str(run_id), queue=queue, error=type(error).__name__)

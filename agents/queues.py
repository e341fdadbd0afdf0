"""The only place that names jobs: waking a run, mailing about a bounce, a budget or a model."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from redis import RedisError
from rq import Queue
from rq.job import Job
from rq.utils import now, utcformat

from agents import spans
from agents.counted import WAKES
from audit import told, tracing
from audit.background_jobs import put
from audit.fault_points import reached

RESUMES = "resumes"
RUNS = "runs"
MAIL_SECONDS = 120
# After which Redis forgets by itself since when a wake-up waits; its place in the queue stays.
WAKE_TTL_SECONDS = 3600

_WAKE = re.compile(r"run-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d+)")

log = structlog.get_logger(__name__)


def wake_id(run_id: UUID, wake_seq: int) -> str:
    """The id of the job that wakes the run; it says all that the job says."""
    return f"run-{run_id}-{wake_seq}"


def woken_by(job_id: str) -> tuple[UUID, int] | None:
    """The run that the job of that id wakes, and the number of the wake-up; None for any other job."""
    matched = _WAKE.fullmatch(job_id)
    return (UUID(matched[1]), int(matched[2])) if matched else None


def wake_on_commit(run_id: UUID, wake_seq: int, queue: str) -> None:
    """Once the transaction has committed, tell a worker that the run may go on."""
    transaction.on_commit(partial(wake, run_id, wake_seq, queue), robust=True)


def wake_later_on_commit(run_id: UUID, wake_seq: int, ready_at: datetime) -> None:
    """Once the transaction has committed, nothing is told: the sweep wakes the run when that moment has come.
    Its trace says so."""
    if tracing.is_on():
        transaction.on_commit(partial(spans.held, run_id, wake_seq, ready_at), robust=True)


def wake(run_id: UUID, wake_seq: int, queue: str, *, again: bool = False) -> None:
    """Put `advance(run_id)` on the queue, now. A lost wake-up is found by the sweep. `again`: it may have been
    put there before."""
    reached("wake.unsent")
    try:
        with spans.sending(run_id, wake_seq, queue, again=again):
            _push(wake_id(run_id, wake_seq), told.queue(queue))
        WAKES.add(queue, "sent_again" if again else "sent")
        reached("wake.sent")
    except (RedisError, OSError) as error:
        WAKES.add(queue, "lost")
        log.warning("wake_lost", run=str(run_id), queue=queue, error=type(error).__name__)


def _push(job_id: str, queue: Queue) -> None:
    """Put a wake-up on the queue, where its id says everything that RQ would store of it; beside it stands since
    when it waits, for the queue's age."""
    job = Job.key_for(job_id)
    with queue.connection.pipeline(transaction=False) as together:
        together.hset(job, "enqueued_at", utcformat(now()))
        together.expire(job, WAKE_TTL_SECONDS)
        together.sadd(queue.redis_queues_keys, queue.key)
        queue.push_job_id(job_id, pipeline=together)
        together.execute()


def mail_bounce_on_commit(effect_id: UUID) -> None:
    """Once the transaction has committed, have the owners of the agent mailed."""
    transaction.on_commit(partial(mail_bounce, effect_id), robust=True)


def mail_bounce(effect_id: UUID) -> None:
    """Put the mail on the queue, now. A lost one is found by the sweep."""
    _mail("agents.jobs.mail_about_bounce", effect_id)


def mail_budget_on_commit(notice_id: UUID) -> None:
    """Once the transaction has committed, have the owners of the agent mailed."""
    transaction.on_commit(partial(mail_budget, notice_id), robust=True)


def mail_budget(notice_id: UUID) -> None:
    """Put the mail on the queue, now. A lost one is found by the sweep."""
    _mail("agents.jobs.mail_about_budget", notice_id)


def mail_model_on_commit(reported_id: UUID) -> None:
    """Once the transaction has committed, have the owners of the agent mailed."""
    transaction.on_commit(partial(mail_model, reported_id), robust=True)


def mail_model(reported_id: UUID) -> None:
    """Put the mail on the queue, now. A lost one is found by the sweep."""
    _mail("agents.jobs.mail_about_model", reported_id)


def _mail(job: str, about: UUID) -> None:
    try:
        put(job, str(about), seconds=MAIL_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("mail_lost", about=str(about), job=job, error=type(error).__name__)

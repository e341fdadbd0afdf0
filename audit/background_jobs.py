"""Jobs of the queue `background`, and what caused each of them.

A job carries the span and the ids of log lines of whoever put it there, beside its arguments and never among them:
mails, exports and checks stand in the trace of the request or the run that they are due to, and so do their lines.
Only ids are carried. A job without them, of an older version or of a sweep, is done all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from opentelemetry.trace import SpanKind
from structlog.contextvars import get_contextvars

from audit import log_ids, told, tracing

BACKGROUND: Final = "background"
UNBOUNDED: Final = -1
"""Of jobs that give signs of life themselves."""
FAILURE_TTL_SECONDS: Final = 3600
CAUSE: Final = "cause"
#: What lines of the job say of whoever caused it, beside the job's own id.
CARRIED: Final = ("run", "request_id")


def put(
    job: str, *arguments: str, once: str = "", seconds: int = UNBOUNDED, run: UUID | None = None
) -> None:
    """Put the job on the queue, now. Raises RedisError or OSError where Redis does not take it.

    `once`: the id that it has there, under which it does not stand twice. `run`: the run that it is about, where
    that is known and may not be what is at hand.
    """
    queue = told.queue(BACKGROUND)
    if once and queue.get_job_position(once) is not None:
        return
    with tracing.span(f"send {BACKGROUND}", _message("send", job), run=run, kind=SpanKind.PRODUCER):
        queue.enqueue(
            job,
            *arguments,
            job_id=once or None,
            job_timeout=seconds,
            result_ttl=0,
            failure_ttl=FAILURE_TTL_SECONDS,
            meta={CAUSE: _cause(run)},
        )


@contextmanager
def taken(job_id: str, name: str, meta: Mapping[str, Any]) -> Iterator[None]:
    """What is done in the block is done for this job."""
    found = meta.get(CAUSE)
    cause = found if isinstance(found, dict) else {}
    ids = {name: str(cause[name]) for name in CARRIED if cause.get(name)}
    with (
        log_ids.only(job=job_id, **ids),
        tracing.behind(cause.get("traceparent")),
        tracing.span(
            f"process {BACKGROUND}",
            _message("process", name) | {"messaging.message.id": job_id},
            kind=SpanKind.CONSUMER,
        ),
    ):
        yield


def _cause(run: UUID | None) -> dict[str, str]:
    at_hand = get_contextvars() | ({"run": run} if run else {})
    ids = {name: str(at_hand[name]) for name in CARRIED if at_hand.get(name)}
    return ids | tracing.as_header()


def _message(act: str, job: str) -> dict[str, str]:
    return {
        "messaging.system": "redis",
        "messaging.operation.name": act,
        "messaging.operation.type": act,
        "messaging.destination.name": BACKGROUND,
        "countersign.job": job,
    }

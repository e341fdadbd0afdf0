"""The jobs of approvals by name: the only place that puts them on a queue."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction
from redis import RedisError

from audit.background_jobs import put

if TYPE_CHECKING:
    from uuid import UUID

MAIL_SECONDS = 120
FIRST_MAILS = "first-mails"
TIGHTENING = "tighten-open-requests"
#: A mail that nobody has sent by then, though somebody began to, is sent by another.
MAIL_OVERDUE = timedelta(minutes=2)

log = logging.getLogger(__name__)


def mail_about(request_id: UUID, occasion: str, *, run: UUID | None) -> None:
    """Send the mail of this occasion (`reminder`, `escalated`) once this commits. `run`: whose request it is, in
    whose trace the mail stands.
    """
    transaction.on_commit(partial(_enqueue, str(request_id), occasion, run), robust=True)


def put_first_mails() -> None:
    """Have those who may decide mailed about what was opened, now, unless that stands on the queue. The next pass
    of the sweep finds what Redis did not take."""
    try:
        put("approvals.jobs.send_first_mails", once=FIRST_MAILS, seconds=MAIL_SECONDS)
    except (RedisError, OSError):
        log.warning("mails about new requests not queued: Redis did not take it")


def tighten_open_requests() -> None:
    """Judge what waits by the newest policy once this commits.

    Should Redis not take the job, the sweep finds what was not judged, and so does every verdict.
    """
    transaction.on_commit(put_tightening, robust=True)


def put_tightening() -> None:
    """Put that on the queue now, unless it stands there."""
    try:
        put("approvals.jobs.tighten_open_requests", once=TIGHTENING)
    except (RedisError, OSError):
        log.warning("open requests not queued to be judged again: Redis did not take it")


def simulate_on_commit(simulation_id: UUID) -> None:
    """Let a worker judge past actions once this commits. A lost wake-up is found by the sweep."""
    transaction.on_commit(partial(simulate, simulation_id), robust=True)


def simulate(simulation_id: UUID) -> None:
    """Put the simulation on the queue now, unless it stands there."""
    try:
        put("approvals.jobs.simulate", str(simulation_id), once=f"simulation-{simulation_id}")
    except (RedisError, OSError):
        log.warning("simulation %s not queued: Redis did not take it", simulation_id)


def _enqueue(request_id: str, occasion: str, run: UUID | None) -> None:
    try:
        put("approvals.jobs.send_mail_about", request_id, occasion, seconds=MAIL_SECONDS, run=run)
    except (RedisError, OSError):
        log.warning("mail about request %s not queued: Redis did not take it", request_id)

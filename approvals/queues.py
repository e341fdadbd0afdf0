"""The jobs of approvals by name: the only place that puts them on a queue."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction
from redis import RedisError

from audit import told

if TYPE_CHECKING:
    from uuid import UUID

QUEUE = "background"
MAIL_SECONDS = 120
#: When nobody was mailed by then, the sweep puts the mail on the queue again.
MAIL_OVERDUE = timedelta(minutes=2)

log = logging.getLogger(__name__)


def mail_about(request_id: UUID, occasion: str) -> None:
    """Send the mail of this occasion (`opened`, `reminder`, `escalated`) once this commits.

    Should Redis not take the job, the sweep finds a request that nobody was told of.
    """
    transaction.on_commit(partial(_enqueue, str(request_id), occasion), robust=True)


def _enqueue(request_id: str, occasion: str) -> None:
    try:
        told.queue(QUEUE).enqueue(
            "approvals.jobs.send_mail_about",
            request_id,
            occasion,
            job_timeout=MAIL_SECONDS,
            result_ttl=0,
            failure_ttl=3_600,
        )
    except (RedisError, OSError):
        log.warning("mail about request %s not queued: Redis did not take it", request_id)

"""The only place that names jobs: counting, and mailing about an alert."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from redis import RedisError

from audit.background_jobs import put

COUNT = "insights-count"
MAIL_SECONDS = 120

log = structlog.get_logger(__name__)


def count_on_commit() -> None:
    """Once the transaction has committed, have what changed summed again."""
    transaction.on_commit(count, robust=True)


def count() -> None:
    """Put that on the queue, now, unless it stands there. A lost one is found by the sweep."""
    try:
        put("insights.jobs.count", once=COUNT)
    except (RedisError, OSError) as error:
        log.warning("wake_lost", job=COUNT, error=type(error).__name__)


def mail_alert_on_commit(alert_id: UUID) -> None:
    """Once the transaction has committed, have the owners of the agent mailed."""
    transaction.on_commit(partial(mail_alert, alert_id), robust=True)


def mail_alert(alert_id: UUID) -> None:
    """Put the mail on the queue, now. A lost one is found by the sweep."""
    try:
        put("insights.jobs.mail_about_alert", str(alert_id), seconds=MAIL_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("mail_lost", about=str(alert_id), error=type(error).__name__)

"""The only place that names jobs: writing an export, and checking the log."""

from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from redis import RedisError

from audit.background_jobs import put

log = structlog.get_logger(__name__)


def write_export_on_commit(export_id: UUID) -> None:
    """Once the transaction has committed, let a worker write the export's file."""
    transaction.on_commit(partial(write_export, export_id), robust=True)


def write_export(export_id: UUID) -> None:
    """Put the export on the queue, now, unless it stands there. A lost one is found by the sweep."""
    _put("audit.jobs.write_export", f"export-{export_id}", export_id)


def verify_log_on_commit(verification_id: UUID) -> None:
    """Once the transaction has committed, let a worker check the log."""
    transaction.on_commit(partial(verify_log, verification_id), robust=True)


def verify_log(verification_id: UUID) -> None:
    """Put the check on the queue, now, unless it stands there. A lost one is found by the sweep."""
    _put("audit.jobs.verify_log", f"verification-{verification_id}", verification_id)


def _put(job: str, job_id: str, argument: UUID) -> None:
    try:
        put(job, str(argument), once=job_id)
    except (RedisError, OSError) as error:
        log.warning("wake_lost", job=job_id, error=type(error).__name__)

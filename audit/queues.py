"""The only place that names jobs: writing an export."""

from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from redis import RedisError

from audit import told

BACKGROUND = "background"
FAILURE_TTL_SECONDS = 3600

log = structlog.get_logger(__name__)


def write_export_on_commit(export_id: UUID) -> None:
    """Once the transaction has committed, let a worker write the export's file."""
    transaction.on_commit(partial(write_export, export_id), robust=True)


def write_export(export_id: UUID) -> None:
    """Put the export on the queue, now, unless it stands there. A lost one is found by the sweep."""
    job_id = f"export-{export_id}"
    try:
        queue = told.queue(BACKGROUND)
        if queue.get_job_position(job_id) is not None:
            return
        queue.enqueue(
            "audit.jobs.write_export",
            str(export_id),
            job_id=job_id,
            job_timeout=-1,
            result_ttl=0,
            failure_ttl=FAILURE_TTL_SECONDS,
        )
    except (RedisError, OSError) as error:
        log.warning("export_wake_lost", export=str(export_id), error=type(error).__name__)

"""What the log needs done from time to time, for the scheduler."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from django.conf import settings

from audit.services.announce_log import announce_log
from audit.services.make_partitions import make_partitions
from audit.services.post_checkpoint import post_checkpoint
from audit.services.tidy_exports import tidy_exports
from audit.services.verify_log import resume_verifications
from audit.services.write_export import resume_exports

_EVERY_SECONDS: Final[dict[Callable[[], object], float]] = {
    resume_exports: 10,
    resume_verifications: 10,
    tidy_exports: 60,
    make_partitions: 3600,
    announce_log: 3600,
    post_checkpoint: settings.COUNTERSIGN.checkpoint_url_seconds,
}
log = structlog.get_logger(__name__)
_done_at: dict[Callable[[], object], float] = {}


def sweep() -> None:
    """Do what is due: lost exports and checks every ten seconds, partitions ahead of time every hour,
    the newest checkpoint to whoever is to have it.

    Call it as often as you like; several processes may. An error is logged.
    """
    now = time.monotonic()
    for task, seconds in _EVERY_SECONDS.items():
        if now - _done_at.get(task, -seconds) < seconds:
            continue
        _done_at[task] = now
        try:
            task()
        except Exception:
            # One task that fails must not keep the others from their work.
            log.exception("audit_sweep_failed", task=task.__name__)

"""`manage.py scheduler`: what is due is done, also when every hint was lost. Several may run."""

import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import nullcontext
from types import FrameType
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandParser
from django.db import close_old_connections
from redis import Redis
from redis.exceptions import RedisError

from agents.sweep import sweep_once
from agents.toolless import Toolless
from approvals.services.sweep import sweep
from audit import log_ids, tracing
from audit.sealer import Sealer, seal_once
from audit.services.sweep import sweep as audit_sweep
from audit.streamer import Streamer, send_all
from countersign.liveness import forget_scheduler, show_scheduler
from countersign.redis import connect
from evaluations.services.finish_evaluation import interrupt_stale
from insights.sweep import sweep as insights_sweep

log = structlog.get_logger(__name__)

TASKS: dict[str, Callable[[], object]] = {
    "runs": sweep_once,
    "requests": sweep,
    "audit": audit_sweep,
    "insights": insights_sweep,
    "evaluations": interrupt_stale,
}


class Command(Toolless):
    """Sweeps every COUNTERSIGN_SWEEP_SECONDS until SIGTERM or SIGINT."""

    help = (
        "Wakes forgotten runs, ends leases and deadlines, seals the audit log and sends it out. "
        "Several may run at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="sweep once and end")

    def handle(self, *_args: Any, **options: Any) -> None:
        stopping = threading.Event()
        if options["once"]:
            stopping.set()
            seal_once()
            send_all()
        else:
            _end_on_signals(stopping)
        tracing.begin("scheduler")
        identity = f"{socket.gethostname()}:{os.getpid()}"
        sealing = nullcontext() if options["once"] else Sealer()
        streaming = nullcontext() if options["once"] else Streamer()
        with sealing, streaming, connect(settings.COUNTERSIGN.redis_url) as redis:
            while True:
                _sweep_all()
                _show(redis, identity)
                if stopping.wait(settings.COUNTERSIGN.sweep_seconds):
                    break
            _forget(redis, identity)
        tracing.end()


def _sweep_all() -> None:
    close_old_connections()
    for name, task in TASKS.items():
        try:
            with log_ids.only(sweep=name):
                task()
        except Exception:
            # One sweep that fails must not keep the others from their work.
            log.exception("sweep_failed", sweep=name)
    close_old_connections()


def _show(redis: Redis, identity: str) -> None:
    try:
        show_scheduler(redis, identity)
    except RedisError as error:
        log.warning("sign_of_life_lost", error=type(error).__name__)


def _forget(redis: Redis, identity: str) -> None:
    try:
        forget_scheduler(redis, identity)
    except RedisError as error:
        log.info("sign_of_life_left", error=type(error).__name__)


def _end_on_signals(stopping: threading.Event) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

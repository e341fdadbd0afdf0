"""Is this process alive, and is everything that the product needs there?

`/health/live` and `/health/ready` are answered by a middleware that stands before sessions and
sign-in, since those ask the database, which may be what is missing.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext
from redis.exceptions import RedisError

from audit.protection import missing_protection
from audit.services.cosigned import witnesses_state
from audit.services.sealing_state import sealing_state
from audit.services.streaming_state import streaming_state
from countersign.liveness import queues_without_worker, scheduler_is_alive
from countersign.redis import connect

log = structlog.get_logger(__name__)

LIVE: Final = "/health/live"
READY: Final = "/health/ready"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its name, whether it is well, and a sentence."""

    name: str
    well: bool
    sentence: str


@sync_and_async_middleware
def probes(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Answer the two addresses of this module; pass everything else on."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponse:
            if request.path == LIVE:
                return live(request)
            if request.path == READY:
                return await sync_to_async(ready)(request)
            answer: HttpResponse = await get_response(request)
            return answer

        return answer_async

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path == LIVE:
            return live(request)
        passed: HttpResponse = ready(request) if request.path == READY else get_response(request)
        return passed

    return answer


def live(_request: HttpRequest) -> HttpResponse:
    """Answer as long as the process answers at all; asks nobody else."""
    return HttpResponse("live\n", content_type="text/plain")


def ready(request: HttpRequest) -> HttpResponse:
    """200 when everything needed answers, 503 with what is missing otherwise.

    A browser gets a page, everybody else JSON.
    """
    findings = look()
    well = all(finding.well for finding in findings)
    answer = {
        "ready": well,
        "missing": [finding.name for finding in findings if not finding.well],
        "checks": [asdict(finding) for finding in findings],
        "notes": [
            *fault_points(),
            *([*missing_protection(), *_sealing(), *_streaming()] if well else []),
        ],
    }
    response: HttpResponse
    if "text/html" in request.headers.get("Accept", ""):
        response = HttpResponse(render_to_string("health.html", answer))
    else:
        response = JsonResponse(answer)
    response.status_code = 200 if well else 503
    response["Cache-Control"] = "no-store"
    return response


def look() -> list[Finding]:
    """Look at the database, its migrations, Redis, the workers and the scheduler."""
    database = _checked("database", _database, DatabaseError)
    redis = _checked("redis", _redis, RedisError)
    findings = [database, redis]
    if database.well:
        findings.append(_checked("migrations", _migrations, DatabaseError))
    if redis.well:
        findings.append(_checked("workers", _workers, RedisError))
        findings.append(_checked("scheduler", _scheduler, RedisError))
    return findings


def _checked(name: str, check: Callable[[], str], expected: type[Exception]) -> Finding:
    """A check returns what is wrong, or nothing."""
    try:
        complaint = check()
    except expected as error:
        complaint = gettext("It does not answer ({name}).").format(name=type(error).__name__)
    return Finding(name, not complaint, complaint or "Well.")


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _redis() -> str:
    with connect(settings.COUNTERSIGN.redis_url) as client:
        client.ping()
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connections["default"])
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not waiting:
        return ""
    return gettext("{waiting} not applied: run manage.py migrate.").format(waiting=len(waiting))


def _workers() -> str:
    with connect(settings.COUNTERSIGN.redis_url) as client:
        idle = queues_without_worker(client)
    if not idle:
        return ""
    return gettext("No worker seen lately for: {idle}. Run manage.py rqworker-pool QUEUE.").format(
        idle=", ".join(idle)
    )


def _scheduler() -> str:
    with connect(settings.COUNTERSIGN.redis_url) as client:
        if scheduler_is_alive(client):
            return ""
    return gettext("None seen lately. Run manage.py scheduler.")


def _sealing() -> list[str]:
    """What keeps the audit log from being sealed: told, and no reason to take the product away from people."""
    complaint = sealing_state().complaint
    return [complaint] if complaint else []


def _streaming() -> list[str]:
    """Where events of the audit log are to be sent and do not arrive, and who does not witness it."""
    complaints = [
        *(sink.complaint for sink in streaming_state()),
        *(witness.complaint for witness in witnesses_state()),
    ]
    return [complaint for complaint in complaints if complaint]


def fault_points() -> list[str]:
    """A sentence while processes may be made to kill themselves, for the readiness page and the logs."""
    folder = settings.COUNTERSIGN.fault_points
    if folder is None:
        return []
    return [
        gettext(
            "Fault points are on: whoever writes to {folder} kills processes. This is for tests."
        ).format(folder=folder)
    ]


def say_fault_points() -> None:
    """Warn at the start of every process while fault points are on."""
    for sentence in fault_points():
        log.warning("fault_points_on", warning=sentence)

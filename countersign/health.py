"""Is this process alive, and is everything that the product needs there?"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from redis.exceptions import RedisError

from countersign.liveness import queues_without_worker, scheduler_is_alive
from countersign.redis import connect


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: its name, whether it is well, and a sentence."""

    name: str
    well: bool
    sentence: str


def live(_request: HttpRequest) -> HttpResponse:
    """Answer as long as the process answers at all; asks nobody else."""
    return HttpResponse("live\n", content_type="text/plain")


def ready(request: HttpRequest) -> HttpResponse:
    """200 when everything needed answers, 503 with what is missing otherwise.

    A browser gets a page, everybody else JSON.
    """
    findings = look()
    well = all(finding.well for finding in findings)
    status = 200 if well else 503
    answer = {
        "ready": well,
        "missing": [finding.name for finding in findings if not finding.well],
        "checks": [asdict(finding) for finding in findings],
        "notes": notes(),
    }
    if "text/html" in request.headers.get("Accept", ""):
        response = render(request, "health.html", answer, status=status)
    else:
        response = JsonResponse(answer, status=status)
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


def notes() -> list[str]:
    """What works, but not with all the protection that it could have."""
    logins = {settings.DATABASES[alias]["USER"] for alias in ("default", "owner", "sealer")}
    if len(logins) == len(settings.DATABASES):
        return []
    return [
        "The application, the migrations and the audit log's sealer share a database login, so "
        "the database itself cannot keep the application from changing the log. Set "
        "DATABASE_OWNER_URL and DATABASE_SEALER_URL to logins of their own."
    ]


def _checked(name: str, check: Callable[[], str], expected: type[Exception]) -> Finding:
    """A check returns what is wrong, or nothing."""
    try:
        complaint = check()
    except expected as error:
        complaint = f"It does not answer ({type(error).__name__})."
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
    return f"{len(waiting)} not applied: run manage.py migrate."


def _workers() -> str:
    with connect(settings.COUNTERSIGN.redis_url) as client:
        idle = queues_without_worker(client)
    if not idle:
        return ""
    return f"No worker seen lately for: {', '.join(idle)}. Run manage.py rqworker-pool QUEUE."


def _scheduler() -> str:
    with connect(settings.COUNTERSIGN.redis_url) as client:
        if scheduler_is_alive(client):
            return ""
    return "None seen lately. Run manage.py scheduler."

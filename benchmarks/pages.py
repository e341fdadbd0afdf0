"""The pages that people live in, at the size of a large house: how long the server takes, and what it asks.

`python -m benchmarks.pages --pending 10000 --decided 1000000` starts PostgreSQL and Redis, has the product park one
run and carry one through, copies both that often with SQL (`benchmarks.crowd`), and opens each page in this process as
its readers do: sign-in, middleware, templates and all, without a network. Beside them, the floor: a hundred rows of the
same index by a statement written by hand. `--explain` prints the plan of each statement that takes long. JSON goes to
`benchmarks/results/`.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import django
import psutil
import psycopg

from benchmarks import product
from benchmarks.figures import summary
from countersign.programs import PROJECT

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User

RESULTS = PROJECT / "benchmarks" / "results"
WARM_UP = 5
SLOW_MS = 5.0
FRAGMENT = {"HX-Request": "true"}
FLOOR = """SELECT id, title, agent_title, risk, review_deadline FROM approvals_approvalrequest
    WHERE state = 'pending' ORDER BY review_deadline, risk_rank DESC, id LIMIT 100"""


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    add = parser.add_argument
    add("--pending", type=int, default=10_000)
    add("--decided", type=int, default=1_000_000)
    add("--looks", type=int, default=100, help="how often each page is opened")
    add("--explain", action="store_true", help="print the plans of slow statements")
    add("--into", type=Path, help="where the JSON goes")
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=2) / 100
    with (
        tempfile.TemporaryDirectory(prefix="countersign-pages-") as folder,
        product.model(),
        product.services(Path(folder)),
    ):
        django.setup()
        began = perf_counter()
        readers = _filled(options.pending, options.decided)
        filled = perf_counter() - began
        figures: dict[str, Any] = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "pending": options.pending,
            "decided": options.decided,
            "cores": os.cpu_count(),
            "busy_before": busy,
            "fill_seconds": round(filled, 1),
            "floor": summary(list(_floor(options.looks))),
            "pages": _pages(readers, options),
        }
    RESULTS.mkdir(exist_ok=True)
    path = options.into or RESULTS / f"pages-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print("\n".join(lines(figures)))
    return 0


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as a table."""
    size = f"{figures['pending']} pending, {figures['decided']} decided (ms in the server)"
    yield from ("", size)
    yield f"{'':40}{'p50':>9}{'p95':>9}{'p99':>9}{'processor':>11}{'statements':>12}"
    yield _row("floor: a hundred rows, by hand", figures["floor"])
    for name, one in figures["pages"].items():
        yield _row(name, one)


def _row(name: str, one: dict[str, Any]) -> str:
    numbers = "".join(f"{one[part]:>9.1f}" for part in ("p50_ms", "p95_ms", "p99_ms"))
    worked = f"{one['processor_ms']:.1f}" if "processor_ms" in one else ""
    return f"{name:40}{numbers}{worked:>11}{one.get('statements', 1):>12}"


def _filled(pending: int, decided: int) -> dict[str, "User"]:
    """The database as it is to be read; its readers by name."""
    from benchmarks.crowding import fill

    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        return fill(owner, pending, decided)


def _floor(looks: int) -> Iterator[float]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=1) as plain:
        for number in range(WARM_UP + looks):
            began = perf_counter()
            plain.execute(FLOOR).fetchall()
            if number >= WARM_UP:
                yield (perf_counter() - began) * 1e3


def _pages(readers: dict[str, "User"], options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    from django.conf import settings
    from django.db import connection
    from django.test import Client

    found: dict[str, dict[str, Any]] = {}
    for who, reader in readers.items():
        client = Client(HTTP_HOST="127.0.0.1")
        client.force_login(reader, backend=settings.AUTHENTICATION_BACKENDS[-1])
        for name, look in _looks(who):
            said: list[tuple[str, Any, float]] = []
            with connection.execute_wrapper(_noting(said)):
                taken = [
                    _timed(client, look, number, said) for number in range(WARM_UP + options.looks)
                ]
            if options.explain:
                _explain(f"{who}: {name}", said)
            figures = {
                **summary([clock for clock, _ in taken[WARM_UP:]]),
                "processor_ms": median(worked for _, worked in taken[WARM_UP:]),
                "statements": len(said),
            }
            print(_row(f"{who}: {name}", figures), file=sys.stderr)
            found[f"{who}: {name}"] = figures
    return found


Look = Callable[["Client", int], Any]


def _looks(who: str) -> Iterator[tuple[str, Look]]:
    """Each page by name, and how it is opened for the so-manieth time."""
    from approvals.models import ApprovalRequest
    from benchmarks.crowd import GROUPS

    pending = ApprovalRequest.objects.pending().filter(request_groups__group__slug=GROUPS[0])
    requests = [str(pk) for pk in pending.by_deadline().values_list("pk", flat=True)[:WARM_UP]]

    def opens(path: str, **headers: str) -> Look:
        return lambda client, _: client.get(path, headers=headers)

    yield "inbox", opens("/inbox/")
    yield "inbox, decided", opens("/inbox/?tab=decided")
    yield "inbox, a word looked for", opens("/inbox/?q=mark")
    yield "runs", opens("/runs/")
    yield "runs that wait", opens("/runs/?state=waiting")
    if who != "reviewer":
        return
    yield "inbox, mine", opens("/inbox/?tab=mine")
    yield "rows alone", opens("/inbox/rows/", **FRAGMENT)
    yield "numbers alone", opens("/inbox/counts/", **FRAGMENT)
    yield (
        "request",
        lambda client, number: client.get(f"/requests/{requests[number % len(requests)]}/"),
    )
    yield (
        "request alone",
        lambda client, number: client.get(
            f"/requests/{requests[number % len(requests)]}/", headers=FRAGMENT
        ),
    )
    yield "agents", opens("/agents/")


def _timed(client: "Client", look: Look, number: int, said: list[Any]) -> tuple[float, float]:
    """Milliseconds of one answer, by the clock and of this processor; what it asked is in `said` afterwards."""
    said.clear()
    began, worked = perf_counter(), process_time()
    answer = look(client, number)
    taken = (perf_counter() - began) * 1e3, (process_time() - worked) * 1e3
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.request['PATH_INFO']} answered {answer.status_code}")
    return taken


def _noting(said: list[tuple[str, Any, float]]) -> Callable[..., Any]:
    def note(execute: Any, statement: Any, params: Any, many: Any, context: Any) -> Any:
        began = perf_counter()
        try:
            return execute(statement, params, many, context)
        finally:
            said.append((str(statement), params, (perf_counter() - began) * 1e3))

    return note


def _explain(name: str, said: list[tuple[str, Any, float]]) -> None:
    """Print how PostgreSQL answers what took long."""
    from django.db import connection

    print(f"\n== {name}: {len(said)} statements, {sum(each[2] for each in said):.1f} ms")
    for statement, _, taken in said:
        print(f"  {taken:6.2f} ms  {' '.join(statement.split())[:150]}")
    for statement, params, taken in said:
        if taken < SLOW_MS:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", params)
            print(f"\n-- {taken:.1f} ms: {statement}")
            print("\n".join(line for (line,) in cursor.fetchall()))


if __name__ == "__main__":
    sys.exit(main())

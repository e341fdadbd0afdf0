"""The pages that people live in, at the size of a large house: how long the server takes, and what it asks.

`python -m benchmarks.pages --pending 10000 --decided 1000000` starts PostgreSQL and Redis, has the product park one
run and carry one through, copies both that often with SQL (`benchmarks.crowd`), and opens each page in this process as
its readers do: sign-in, middleware, templates and all, without a network. Beside them, the floor: a hundred rows of the
same index, by hand. `--explain` prints the plan of each statement that takes long, `--only WORDS`
opens the pages whose name holds them, and `--keep FOLDER` fills that folder once and finds it filled the next time.
*Processor* is this process, *database* PostgreSQL's for this connection. JSON goes to `benchmarks/results/`.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    from benchmarks.looks import Look

RESULTS = PROJECT / "benchmarks" / "results"
WARM_UP = 5
SLOW_MS = 5.0
#: In a folder that is kept: with how much it was filled to the end.
FILLED = "filled.json"
FLOOR = """SELECT id, title, agent_title, risk, review_deadline FROM approvals_approvalrequest
    WHERE state = 'pending' ORDER BY review_deadline, risk_rank DESC, id LIMIT 100"""


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    add = parser.add_argument
    add("--pending", type=int, default=10_000)
    add("--decided", type=int, default=1_000_000)
    add("--events", type=int, default=500_000, help="audit events beside those of the product")
    add("--keep", type=Path, help="fill this folder, or find it filled, and leave it")
    add("--only", default="", help="only pages whose name holds this")
    add("--looks", type=int, default=100, help="how often each page is opened")
    add("--explain", action="store_true", help="print the plans of slow statements")
    add("--into", type=Path, help="where the JSON goes")
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=2) / 100
    with _folder(options.keep) as folder, product.model(), product.services(folder):
        django.setup()
        began = perf_counter()
        readers = _filled(folder, options)
        filled = perf_counter() - began
        figures: dict[str, Any] = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "pending": options.pending,
            "decided": options.decided,
            "events": options.events,
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
    yield f"{'':52}{'p50':>9}{'p95':>9}{'p99':>9}{'processor':>11}{'database':>10}{'statements':>12}"
    yield _row("floor: a hundred rows, by hand", figures["floor"])
    for name, one in figures["pages"].items():
        yield _row(name, one)


def _row(name: str, one: dict[str, Any]) -> str:
    numbers = "".join(f"{one[part]:>9.1f}" for part in ("p50_ms", "p95_ms", "p99_ms"))
    worked = f"{one['processor_ms']:.1f}" if "processor_ms" in one else ""
    asked = f"{one['database_ms']:.1f}" if "database_ms" in one else ""
    return f"{name:52}{numbers}{worked:>11}{asked:>10}{one.get('statements', 1):>12}"


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """Where the database is: a folder that is gone afterwards, unless one is kept."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="countersign-pages-") as name:
            yield Path(name)
        return
    if (kept / "data").exists() and not (kept / FILLED).exists():
        sys.exit(f"{kept} was not filled to its end. Remove it, and start again.")
    kept.mkdir(parents=True, exist_ok=True)
    yield kept


def _filled(folder: Path, options: argparse.Namespace) -> dict[str, "User"]:
    """The database as it is to be read; its readers by name."""
    from benchmarks import crowding, evidence

    size = {name: getattr(options, name) for name in ("pending", "decided", "events")}
    note = folder / FILLED
    if note.exists():
        if (found := json.loads(note.read_text())) != size:
            sys.exit(f"{folder} was filled with {found}, not with {size}.")
        return crowding.readers()
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        evidence.append(options.events)
        crowding.fill(owner, options.pending, options.decided)
    note.write_text(json.dumps(size))
    return crowding.readers()


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

    from benchmarks.looks import looks_of

    found: dict[str, dict[str, Any]] = {}
    for who, reader in readers.items():
        client = Client(HTTP_HOST="127.0.0.1")
        client.force_login(reader, backend=settings.AUTHENTICATION_BACKENDS[-1])
        for name, look in looks_of(who):
            if options.only not in f"{who}: {name}":
                continue
            said: list[tuple[str, Any, float]] = []
            process = _serving()
            with connection.execute_wrapper(_noting(said)):
                for number in range(WARM_UP):
                    _timed(client, look, number, said)
                server = _worked_for_us(process)
                taken = [_timed(client, look, number, said) for number in range(options.looks)]
                server = (_worked_for_us(process) - server) / options.looks
            if options.explain:
                _explain(f"{who}: {name}", said)
            figures = {
                **summary([clock for clock, _ in taken]),
                "processor_ms": median(worked for _, worked in taken),
                "database_ms": server,
                "statements": len(said),
            }
            print(_row(f"{who}: {name}", figures), file=sys.stderr, flush=True)
            found[f"{who}: {name}"] = figures
    return found


def _timed(client: "Client", look: "Look", number: int, said: list[Any]) -> tuple[float, float]:
    """Milliseconds of one answer, by the clock and of this processor; what it asked is in `said` afterwards."""
    said.clear()
    began, worked = perf_counter(), process_time()
    answer = look(client, number)
    taken = (perf_counter() - began) * 1e3, (process_time() - worked) * 1e3
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.request['PATH_INFO']} answered {answer.status_code}")
    return taken


def _serving() -> int:
    """PostgreSQL's process that serves this connection."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _worked_for_us(process: int) -> float:
    """Milliseconds of processor that PostgreSQL's process has taken until now."""
    # In nanoseconds; what processes count otherwise is a hundredth of a second.
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e6


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

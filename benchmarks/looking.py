"""Opening pages in this process and saying what each took: by the clock, of the processors, and in statements."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, Final

from benchmarks.figures import summary

if TYPE_CHECKING:
    from django.test import Client

    from benchmarks.looks import Look

WARM_UP: Final = 5
SLOW_MS: Final = 5.0
#: In a folder that is kept: with how much it was filled to the end.
FILLED: Final = "filled.json"


@contextmanager
def folder_of(kept: Path | None) -> Iterator[Path]:
    """Where the database is: a folder that is gone afterwards, unless one is kept."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="countersign-pages-") as name:
            yield Path(name)
        return
    if (kept / "data").exists() and not (kept / FILLED).exists():
        sys.exit(f"{kept} was not filled to its end. Remove it, and start again.")
    kept.mkdir(parents=True, exist_ok=True)
    yield kept


def looked(
    client: Client, look: Look, *, looks: int, name: str = "", explain: bool = False
) -> dict[str, Any]:
    """Figures of so many looks, after a few that are not counted."""
    from django.db import connection

    said: list[tuple[str, Any, float]] = []
    process = serving()
    with connection.execute_wrapper(_noting(said)):
        for number in range(WARM_UP):
            _timed(client, look, number, said)
        server = worked_ms(process)
        taken = [_timed(client, look, number, said) for number in range(looks)]
        server = (worked_ms(process) - server) / looks
    if explain:
        _explain(name, said)
    return {
        **summary([clock for clock, _ in taken]),
        "processor_ms": median(worked for _, worked in taken),
        "database_ms": server,
        "statements": len(said),
    }


def heading(words: str) -> str:
    """The first line of a table."""
    return f"{words:52}{'p50':>9}{'p95':>9}{'p99':>9}{'processor':>11}{'database':>10}{'statements':>12}"


def row(name: str, one: dict[str, Any]) -> str:
    """A line of it."""
    numbers = "".join(f"{one[part]:>9.1f}" for part in ("p50_ms", "p95_ms", "p99_ms"))
    worked = f"{one['processor_ms']:.1f}" if "processor_ms" in one else ""
    asked = f"{one['database_ms']:.1f}" if "database_ms" in one else ""
    return f"{name:52}{numbers}{worked:>11}{asked:>10}{one.get('statements', 1):>12}"


def serving() -> int:
    """PostgreSQL's process that serves this connection."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def worked_ms(process: int) -> float:
    """Milliseconds of processor that PostgreSQL's process has taken until now."""
    # In nanoseconds; what processes count otherwise is a hundredth of a second.
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e6


def _timed(client: Client, look: Look, number: int, said: list[Any]) -> tuple[float, float]:
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

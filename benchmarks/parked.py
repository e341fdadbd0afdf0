"""What parked runs cost: rows, processes, memory, and the time of the pages that list them."""

import http.client
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from time import monotonic, monotonic_ns
from typing import Any

import psycopg
from psycopg import sql

from accounts.models import User
from benchmarks.burst import start, wait_for_state
from benchmarks.figures import summary
from benchmarks.house import session_cookie
from benchmarks.processes import Usage, usage

LOOKS = 30
PORTION = 100
SIZES = """
    SELECT relname, pg_total_relation_size(oid), pg_indexes_size(oid),
           COALESCE(pg_total_relation_size(NULLIF(reltoastrelid, 0)), 0)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
Sizes = dict[str, tuple[int, int, int]]


def measure(
    count: int, seconds: float, starter: User, decider: User, pids: Mapping[str, int]
) -> dict[str, Any]:
    """Park `count` runs through the engine as shipped and look at what they leave behind.

    After `seconds` no more are started: `n` says how many there are. Tables are rewritten without
    gaps before, not after: dead versions of rows count as well.
    """
    _compact()
    pages = _pages(decider)
    sizes, before = _sizes(), usage(pids)
    began = monotonic()
    parked = _park(count, seconds, starter)
    taken = monotonic() - began
    grown, after = _grown(sizes, _sizes(), parked), usage(pids)
    return {
        "n": parked,
        "asked_for": count,
        "parked_per_second": round(parked / taken, 1),
        "bytes_per_run": sum(table["total"] for table in grown.values()),
        "tables": grown,
        "processes_before": _counts(before),
        "processes_after": _counts(after),
        "own_megabytes_before": _megabytes(before),
        "own_megabytes_after": _megabytes(after),
        "pages_before": pages,
        "pages_after": _pages(decider),
    }


def _park(count: int, seconds: float, starter: User) -> int:
    """Start in portions, the next while the last is being worked on; how many are parked."""
    ends = monotonic() + seconds
    earlier: list[Any] = []
    started = 0
    while started < count and monotonic() < ends:
        portion = start(min(PORTION, count - started), starter)
        started += len(portion)
        wait_for_state(earlier, "waiting")
        earlier = portion
    wait_for_state(earlier, "waiting")
    return started


def _counts(used: Mapping[str, Usage]) -> dict[str, int]:
    return {name: one.count for name, one in used.items()}


def _megabytes(used: Mapping[str, Usage]) -> dict[str, float]:
    return {name: round(one.own_bytes / 1e6, 1) for name, one in used.items()}


@contextmanager
def _owner() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as connection:
        yield connection


def _compact() -> None:
    with _owner() as connection:
        for (name,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE tableowner = USER"
        ):
            connection.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(name)))


def _sizes() -> Sizes:
    with _owner() as connection:
        return {
            name: (total, indexes, toast)
            for name, total, indexes, toast in connection.execute(SIZES)
        }


def _grown(before: Sizes, after: Sizes, count: int) -> dict[str, dict[str, int]]:
    """Bytes per run that each table grew by, the largest first."""
    parts = ("total", "indexes", "toast")
    grown = {
        name: {
            part: round((now - then) / count)
            for part, now, then in zip(parts, after[name], before.get(name, (0, 0, 0)), strict=True)
        }
        for name in after
    }
    largest = sorted(grown.items(), key=lambda table: -table[1]["total"])
    return {name: table for name, table in largest if table["total"] > 0}


def _pages(reader: User) -> dict[str, dict[str, float]]:
    """Time of the two lists as one client sees it on this machine, one request after the other."""
    cookie = session_cookie(reader)
    return {
        path: summary(_times(path, cookie))
        for path in ("/inbox/", "/api/v1/approvals?state=pending")
    }


def _times(path: str, cookie: str) -> list[float]:
    taken: list[float] = []
    port = int(os.environ["PORT"])
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as client:
        for _ in range(LOOKS):
            began = monotonic_ns()
            client.request("GET", path, headers={"Cookie": cookie})
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}")
            taken.append((monotonic_ns() - began) / 1e6)
    return taken

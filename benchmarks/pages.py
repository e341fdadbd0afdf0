"""The pages that people live in, at the size of a large house: how long the server takes, and what it asks.

`python -m benchmarks.pages --pending 10000 --decided 1000000` starts PostgreSQL and Redis, has the product park one
run and carry one through, copies both that often with SQL (`benchmarks.crowd`), and opens each page in this process as
its readers do: sign-in, middleware, templates and all, without a network. Beside them, the floor: a hundred rows of the
same index, by hand. `--explain` prints the plan of each statement that takes long, `--only WORDS`
opens the pages whose name holds them, and `--keep FOLDER` fills that folder once and finds it filled the next time.
*Processor* is this process, *database* PostgreSQL's for this connection. JSON goes to `benchmarks/results/`.

A page whose p95 is above the aim is marked, and the command then fails, unless the machine was busy before it began.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import django
import psutil
import psycopg

from benchmarks import product
from benchmarks.figures import summary
from benchmarks.looking import FILLED, WARM_UP, folder_of, heading, looked, row
from benchmarks.records import BUSY
from countersign.programs import PROJECT

if TYPE_CHECKING:
    from accounts.models import User

RESULTS = PROJECT / "benchmarks" / "results"
#: Milliseconds in the server, of 95 in 100 looks at a page.
AIM_MS = 50.0
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
    with folder_of(options.keep) as folder, product.model(), product.services(folder):
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
            "aim_ms": AIM_MS,
            "pages": marked(_pages(readers, options)),
        }
    RESULTS.mkdir(exist_ok=True)
    path = options.into or RESULTS / f"pages-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print("\n".join(lines(figures)))
    return int(is_missed(figures))


def marked(pages: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same, each with whether it took longer than it is to (`slow`)."""
    return {name: {**page, "slow": page["p95_ms"] > AIM_MS} for name, page in pages.items()}


def is_missed(figures: dict[str, Any]) -> bool:
    """Whether a page was slow on a machine that had nothing else to do: else its time says nothing."""
    return figures["busy_before"] <= BUSY and any(p["slow"] for p in figures["pages"].values())


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as a table."""
    size = f"{figures['pending']} pending, {figures['decided']} decided (ms in the server)"
    yield from ("", size)
    yield heading("")
    yield row("floor: a hundred rows, by hand", figures["floor"])
    slow = 0
    for name, one in figures["pages"].items():
        yield row(name, one) + ("  slow" if one["slow"] else "")
        slow += one["slow"]
    if slow:
        yield f"\n{slow} above the aim of {figures['aim_ms']:.0f} ms (p95)."
    if figures["busy_before"] > BUSY:
        yield f"\nThis machine was not idle: {figures['busy_before']:.0%} busy before the start."


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
    from django.test import Client

    from benchmarks.looks import looks_of

    found: dict[str, dict[str, Any]] = {}
    for who, reader in readers.items():
        client = Client(HTTP_HOST="127.0.0.1")
        client.force_login(reader, backend=settings.AUTHENTICATION_BACKENDS[-1])
        for name, look in looks_of(who):
            if options.only not in f"{who}: {name}":
                continue
            figures = looked(
                client, look, looks=options.looks, name=f"{who}: {name}", explain=options.explain
            )
            print(row(f"{who}: {name}", figures), file=sys.stderr, flush=True)
            found[f"{who}: {name}"] = figures
    return found


if __name__ == "__main__":
    sys.exit(main())

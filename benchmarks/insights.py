"""Insights over the history of a large house: how fast it is gathered and summed, and how long page, API and file take.

`python -m benchmarks.insights --runs 1000000` starts PostgreSQL and Redis, writes a year of runs, journals, requests,
looks and votes with SQL (`benchmarks.year`), has the product count all of it, has it look again with nothing new and
after a few hundred more runs have ended, and opens page, API, file and lists in this process as an admin does, for each
narrowing. *Processor* is this process, *database* PostgreSQL's processor for this connection, each as the median of all
looks; a pass of counting takes other statements each time, so of that it is the whole. `--only WORDS` opens what holds
them, `--explain` prints the plan of each statement that takes long, and `--keep FOLDER` fills and counts that folder
once and finds it so the next time. JSON goes to `benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, Final

import django
import psutil
import psycopg

from benchmarks import product, year
from benchmarks.looking import FILLED, folder_of, heading, looked, row, serving, worked_ms
from countersign.programs import PROJECT

if TYPE_CHECKING:
    from benchmarks.looks import Look

RESULTS: Final = PROJECT / "benchmarks" / "results"
PERIODS: Final = ("day", "week", "month", "quarter", "year")
NARROWED: Final = (
    "",
    "agent={agent}",
    "version={version}",
    "category=bounded",
    "tool=issue_refund",
)
#: So many of the newest open runs end between two passes.
LATELY: Final = 200
_ENDS: Final = """
UPDATE agents_run SET state = 'succeeded', outcome = 'done', finished_at = now()
 WHERE id IN (SELECT id FROM agents_run WHERE state = 'queued' ORDER BY created_at DESC LIMIT %s)
"""
_SUMMED: Final = (
    "insights_figure, insights_personfigure, insights_runfact, insights_slice, insights_touched"
)


def main() -> int:
    """Measure, print, write."""
    options = _options()
    busy = psutil.cpu_percent(interval=2) / 100
    with folder_of(options.keep) as folder, product.model(), product.services(folder):
        django.setup()
        began = perf_counter()
        history = _filled(folder, options)
        figures: dict[str, Any] = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "runs": options.runs,
            "cores": os.cpu_count(),
            "busy_before": busy,
            **history,
            "ready_seconds": round(perf_counter() - began, 1),
            "passes": _passes(),
            "pages": _pages(options),
        }
    RESULTS.mkdir(exist_ok=True)
    path = options.into or RESULTS / f"insights-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    print("\n".join(lines(figures)))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.insights", description=__doc__)
    add = parser.add_argument
    add("--runs", type=int, default=1_000_000)
    add("--looks", type=int, default=30, help="how often each page is opened")
    add("--keep", type=Path, help="fill this folder, or find it filled, and leave it")
    add("--only", default="", help="only what has this in its name")
    add("--explain", action="store_true", help="print the plans of slow statements")
    add("--into", type=Path, help="where the JSON goes")
    return parser.parse_args()


def lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as a table."""
    yield ""
    yield f"{figures['runs']:,} runs over a year, {figures['figures']:,} rows of sums"
    yield f"filled in {figures['fill_seconds']:.0f} s"
    yield _work("counted from nothing", figures["counted"])
    for name, one in figures["passes"].items():
        yield _work(name, one)
    yield heading("milliseconds")
    for name, one in figures["pages"].items():
        yield row(name, one)


def _work(name: str, one: dict[str, float]) -> str:
    return "{name}: {seconds:.2f} s; processor {processor:.2f} s, database {database:.2f} s".format(
        name=name, **one
    )


def _filled(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """A year of history, counted; how long both took."""
    from accounts.models import ReviewGroup
    from countersign.testing.people import person
    from insights.models import Figure

    note = folder / FILLED
    if note.exists():
        found: dict[str, Any] = json.loads(note.read_text())
        if found["filled_runs"] != options.runs:
            sys.exit(f"{folder} was filled with {found['filled_runs']} runs.")
        return found
    began = perf_counter()
    group, _ = ReviewGroup.objects.get_or_create(slug="benchmark", defaults={"title": "Benchmark"})
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        year.fill(owner, options.runs, group=group.pk, person=person("admin", "admin").pk)
        filled = perf_counter() - began
        counted = _counted()
        # As the server does by itself, a minute later.
        owner.execute(f"VACUUM ANALYZE {_SUMMED}")
    found = {
        "filled_runs": options.runs,
        "fill_seconds": round(filled, 1),
        "counted": counted,
        "figures": Figure.objects.count(),
    }
    note.write_text(json.dumps(found))
    return found


def _counted() -> dict[str, float]:
    """What counting takes until there is no more to do."""
    from insights.services.advance import advance

    process = serving()
    began, worked, server = perf_counter(), process_time(), worked_ms(process)
    while advance():
        print(f"counted for {perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return {
        "seconds": perf_counter() - began,
        "processor": process_time() - worked,
        "database": (worked_ms(process) - server) / 1e3,
    }


def _passes() -> dict[str, dict[str, float]]:
    """A pass with nothing new, and one after some of the newest runs have ended."""
    _counted()
    found = {"nothing new": _counted()}
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        ended = owner.execute(_ENDS, [LATELY]).rowcount
    found[f"{ended} runs more"] = _counted()
    return found


def _pages(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    from django.conf import settings
    from django.test import Client

    from accounts.models import User

    client = Client(HTTP_HOST="127.0.0.1")
    client.force_login(
        User.objects.get(username="admin"), backend=settings.AUTHENTICATION_BACKENDS[-1]
    )
    found: dict[str, dict[str, Any]] = {}
    for address in _addresses():
        if options.only not in address:
            continue
        found[address] = looked(
            client, _opens(address), looks=options.looks, name=address, explain=options.explain
        )
        print(row(address, found[address]), file=sys.stderr, flush=True)
    return found


def _opens(address: str) -> Look:
    return lambda client, _: client.get(address)


def _addresses() -> Iterator[str]:
    """Page, API and file for each narrowing, and lists that numbers of the last quarter lead to."""
    from insights.models import Slice

    chosen = Slice.objects.filter(agent="agent-3", tool="").latest("pk")
    for which in NARROWED:
        more = which.format(agent=chosen.agent, version=chosen.version)
        for period in PERIODS:
            yield "&".join(filter(None, (f"/insights/?period={period}", more)))
        for where in ("/api/v1/insights", "/insights/figures.csv"):
            yield "&".join(filter(None, (f"{where}?period=year", more)))
    today = datetime.now(UTC).date()
    days = f"since={today - timedelta(days=90)}&until={today}"
    for which in ("result=success", "failure=cancelled", "retried=1", "call=issue_refund:approved"):
        yield f"/runs/?{days}&tasks=1&{which}"
    for which in ("state=closed", "state=closed&how=approved", "state=closed&deadline=missed"):
        yield f"/requests/?{days}&{which}"
    yield "/requests/?state=waiting&age=week"


if __name__ == "__main__":
    sys.exit(main())

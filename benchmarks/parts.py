"""Where the time of an approval cycle goes, part by part, in one process.

`python -m benchmarks.parts` starts PostgreSQL, Redis and the model server and does what clients and workers do,
one after the other, here: statements, milliseconds, and processor milliseconds of this process and of PostgreSQL's
for each part. The processor's are those of the tenth of the cycles that took least, which others on the machine
disturbed least. `--profile` adds the functions that take longest, `--statements` every statement of a cycle with
PostgreSQL's microseconds.
"""

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import django

from benchmarks import product

if TYPE_CHECKING:
    from accounts.models import User

PARTS = ("start", "park", "decide", "execute and finish")
WARM_UP = 20
WATCHED = 20


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    add = parser.add_argument
    add("--cycles", type=int, default=100)
    add("--profile", nargs="?", const="tottime", choices=["tottime", "cumtime"])
    add("--part", choices=PARTS, help="profile this part alone")
    add("--statements", action="store_true", help="print the statements of the last cycle")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="countersign-parts-") as folder,
        product.model(),
        product.services(Path(folder)),
    ):
        os.environ["DJANGO_SETTINGS_MODULE"] = "countersign.settings"
        django.setup()
        Parts(options).measure()
    return 0


class Parts:
    """One starter, one reviewer and one worker, taking turns."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)
        self.theirs: dict[str, list[float]] = defaultdict(list)
        self.said: list[tuple[str, str]] = []
        self.took: dict[int, list[float]] = defaultdict(list)
        self.profile = cProfile.Profile(timer=process_time)
        self.counting = False

    def measure(self) -> None:
        """Warm up, measure, print."""
        from django.db import connection

        from benchmarks.people import people

        starter, decider = people()
        for number in range(WARM_UP):
            self.cycle(number, starter, decider)
        self.counting = True
        for number in range(self.options.cycles):
            self.cycle(WARM_UP + number, starter, decider)
        # Apart, since statements that are watched take another way.
        self.counting = False
        with connection.execute_wrapper(self._count):
            for number in range(WATCHED):
                self.said.clear()
                self.cycle(WARM_UP + self.options.cycles + number, starter, decider)
        self._print()

    def cycle(self, number: int, starter: "User", decider: "User") -> None:
        """Start, park, decide, execute and finish."""
        from accounts.callers import Caller
        from agents.runner import advance
        from agents.services.start_run import start_run
        from approvals.models import ApprovalRequest
        from benchmarks.deciding import approve

        with self._part("start"):
            caller = Caller.of_session(starter)
            run, _ = start_run(agent="marker", input=str(number), caller=caller)
        with self._part("park"):
            advance(run.pk, owner="parts", stopping=lambda: False)
        request = ApprovalRequest.objects.get(run_id=run.pk)
        with self._part("decide"):
            approve(request, Caller.of_session(decider))
        with self._part("execute and finish"):
            advance(run.pk, owner="parts", stopping=lambda: False)
        run.refresh_from_db()
        assert run.state == "succeeded", run.state

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        self.current = name
        profiled = self.counting and self.options.profile and self.options.part in (None, name)
        if profiled:
            self.profile.enable()
        theirs, wall, cpu = _theirs(), perf_counter(), process_time()
        try:
            yield
        finally:
            if self.counting:
                self.cpu[name].append(process_time() - cpu)
                self.wall[name].append(perf_counter() - wall)
                self.theirs[name].append(_theirs() - theirs)
            if profiled:
                self.profile.disable()
            self.current = ""

    def _count(self, execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if not self.current:
            return execute(sql, params, many, context)
        before = _theirs()
        try:
            return execute(sql, params, many, context)
        finally:
            self.took[len(self.said)].append(_theirs() - before)
            self.said.append((self.current, str(sql)))

    def _print(self) -> None:
        if self.options.statements:
            for place, (part, sql) in enumerate(self.said):
                print(
                    f"{part:20} {_least(self.took[place]) * 1e6:6.0f} {' '.join(sql.split())[:200]}"
                )
        said = Counter(part for part, _ in self.said)
        print(f"{'part':20} {'statements':>10} {'ms':>8} {'cpu ms':>8} {'PostgreSQL':>10}")
        rows = [
            (
                said[part],
                *(_least(took[part]) * 1e3 for took in (self.wall, self.cpu, self.theirs)),
            )
            for part in PARTS
        ]
        together = [sum(column) for column in zip(*rows, strict=True)]
        for part, row in zip((*PARTS, "together"), (*rows, together), strict=True):
            print(f"{part:20} {row[0]:10} {row[1]:8.2f} {row[2]:8.2f} {row[3]:10.2f}")
        if self.options.profile:
            pstats.Stats(self.profile).sort_stats(self.options.profile).print_stats(110)


def _theirs() -> float:
    """Seconds of the processor that PostgreSQL's process behind this connection has taken."""
    from django.db import connection

    connection.ensure_connection()
    assert connection.connection is not None
    process = connection.connection.info.backend_pid
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def _least(seconds: list[float]) -> float:
    """The mean of the tenth that is least."""
    least = sorted(seconds)[: max(1, len(seconds) // 10)]
    return sum(least) / len(least)


if __name__ == "__main__":
    sys.exit(main())

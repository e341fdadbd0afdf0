"""Where the time of an approval cycle goes, part by part, in one process.

`python -m benchmarks.parts` starts PostgreSQL, Redis and the model server and does what clients and workers do,
one after the other, here: statements, milliseconds and processor milliseconds of each part. `--profile` adds the
functions that take longest, `--statements` every statement of one cycle.
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
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self.statements: Counter[str] = Counter()
        self.said: list[tuple[str, str]] = []
        self.profile = cProfile.Profile()
        self.counting = False

    def measure(self) -> None:
        """Warm up, measure, print."""
        from django.db import connection

        from benchmarks.people import people

        starter, decider = people()
        for number in range(WARM_UP):
            self.cycle(number, starter, decider)
        self.counting = True
        with connection.execute_wrapper(self._count):
            for number in range(self.options.cycles):
                self.said.clear()
                self.cycle(WARM_UP + number, starter, decider)
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
        wall, cpu = perf_counter(), process_time()
        try:
            yield
        finally:
            if self.counting:
                self.wall[name] += perf_counter() - wall
                self.cpu[name] += process_time() - cpu
            if profiled:
                self.profile.disable()
            self.current = ""

    def _count(self, execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if self.current:
            self.statements[self.current] += 1
            self.said.append((self.current, str(sql)))
        return execute(sql, params, many, context)

    def _print(self) -> None:
        cycles = self.options.cycles
        if self.options.statements:
            for part, sql in self.said:
                print(f"{part:20} {' '.join(sql.split())[:200]}")
        print(f"{'part':20} {'statements':>10} {'ms':>8} {'cpu ms':>8}")
        for part in PARTS:
            print(
                f"{part:20} {self.statements[part] / cycles:10.1f} "
                f"{self.wall[part] / cycles * 1e3:8.2f} {self.cpu[part] / cycles * 1e3:8.2f}"
            )
        print(
            f"{'together':20} {sum(self.statements.values()) / cycles:10.1f} "
            f"{sum(self.wall.values()) / cycles * 1e3:8.2f} "
            f"{sum(self.cpu.values()) / cycles * 1e3:8.2f}"
        )
        if self.options.profile:
            pstats.Stats(self.profile).sort_stats(self.options.profile).print_stats(70)


if __name__ == "__main__":
    sys.exit(main())

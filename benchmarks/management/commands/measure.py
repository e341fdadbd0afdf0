"""`manage.py measure`: the measurements of one run, as JSON on standard output."""

import json
import os
import platform
import statistics
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from benchmarks import cycle, floor, hints
from benchmarks.people import people

WARM_UP = 10
REQUESTS = 20


class Command(BaseCommand):
    help = "Measures the running product beside the bare floor; `make bench` starts both."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cycles", type=int, default=200)
        parser.add_argument("--sockets", type=int, default=50)

    def handle(self, *args: Any, **options: Any) -> None:
        cycles, sockets = options["cycles"], options["sockets"]
        starter, decider = people()
        cycle.measure(WARM_UP, starter, decider)
        bare = floor.measure(cycles)
        ours = cycle.measure(cycles, starter, decider)
        url = f"http://127.0.0.1:{os.environ['PORT']}"
        heard = hints.measure(url, decider, sockets=sockets, requests=REQUESTS)
        figures = {
            "floor": summary(bare),
            "decision_to_executed": summary(ours["executed"]),
            "start_to_parked": summary(ours["parked"]),
            f"request_to_hint_{sockets}_sockets": summary(heard),
        }
        ratio = figures["decision_to_executed"]["p50_ms"] / figures["floor"]["p50_ms"]
        results = {
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": f"python -m benchmarks --cycles {cycles} --sockets {sockets}",
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "cycles": cycles,
            "figures": figures,
            "ratios": {"decision_to_executed_over_floor_p50": round(ratio, 2)},
        }
        self.stdout.write(json.dumps(results))


def summary(milliseconds: list[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile of the measurements."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49], 3),
        "p95_ms": round(cuts[94], 3),
        "p99_ms": round(cuts[98], 3),
        "n": len(milliseconds),
    }

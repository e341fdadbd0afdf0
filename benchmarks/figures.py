"""Numbers out of measurements."""

import statistics
from collections.abc import Sequence


def summary(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile of the measurements."""
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {
        "p50_ms": round(cuts[49], 3),
        "p95_ms": round(cuts[94], 3),
        "p99_ms": round(cuts[98], 3),
        "n": len(milliseconds),
    }


def burst_summary(count: int, parked_seconds: float, finished_seconds: float) -> dict[str, float]:
    """Rates of `count` cycles: `parked_seconds` until all wait, `finished_seconds` from there on."""
    return {
        "n": count,
        "cycles_per_second": round(count / (parked_seconds + finished_seconds), 1),
        "parked_per_second": round(count / parked_seconds, 1),
        "finished_per_second": round(count / finished_seconds, 1),
    }

"""What is written down with the figures of every benchmark: under which circumstances they came about, and where."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from countersign.programs import PROJECT

RESULTS = PROJECT / "benchmarks" / "results"
WATCHED_SECONDS = 2
#: From which part of its cores on a machine is too busy with something else for its times to be believed.
BUSY = 0.25


def circumstances() -> dict[str, Any]:
    """When it is, how many cores there are, and what part of them (0 to 1) is busy with something else."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "busy_before": psutil.cpu_percent(interval=WATCHED_SECONDS) / 100,
    }


def write(name: str, figures: Mapping[str, Any], into: Path | None = None) -> Path:
    """Keep the figures as JSON, under the benchmark's name and the moment unless `into` says where."""
    RESULTS.mkdir(exist_ok=True)
    path = into or RESULTS / f"{name}-{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(figures, indent=2) + "\n")
    return path

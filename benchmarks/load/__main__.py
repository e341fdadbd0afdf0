"""`make load` and `make soak`: the product as shipped under people and programs, for as long as one likes.

Starts PostgreSQL, Redis, the model server and every process of the product, signs everybody in, lets locust (in an
environment of its own) do what `scenarios.py` says, and looks every few seconds at memory, file handles, threads,
connections, Redis and the size of the database. JSON goes to `benchmarks/results/`.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import django

from benchmarks import product
from benchmarks.load.samples import Watcher, bytes_each, growth, table
from benchmarks.peers.environments import made
from benchmarks.records import circumstances, write
from countersign.config import Config
from countersign.programs import PROJECT

FOLDER = Path(__file__).resolve().parent
#: How many requests the deciding program leaves for people.
LEFT_WAITING = 20


def main() -> int:
    """Load, watch, print, write. 1 where locust saw failures."""
    options = _options()
    python = made(FOLDER)
    results: dict[str, Any] = {**circumstances(), "options": vars(options)}
    with (
        tempfile.TemporaryDirectory(prefix="countersign-load-") as folder,
        product.model(),
        product.services(Path(folder)) as config,
    ):
        django.setup()
        path = write("load", results)
        accounts = Path(folder) / "accounts.json"
        accounts.touch(mode=0o600)
        accounts.write_text(json.dumps(_accounts(options.reviewers)))
        with product.running(config) as pids:
            looks = path.with_suffix(".jsonl")
            failed = _under_load(python, accounts, config, pids, options, results, looks)
            write("load", results, path)
    print("\n".join(_lines(results)))
    print(f"\nWritten to {path.relative_to(PROJECT)}")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=int, default=120, help="how long")
    add("--reviewers", type=int, default=50, help="people with the inbox open")
    add("--runs", type=float, default=2.0, help="runs that are started a second")
    add("--every", type=float, default=10.0, help="seconds between two looks at what is used")
    return parser.parse_args()


def _accounts(reviewers: int) -> dict[str, Any]:
    """Everybody: cookies of sessions, and bearers. For locust's eyes only; gone with the folder."""
    from accounts.services.create_token import create_token
    from audit.actors import Actor
    from benchmarks.house import House, session_cookie
    from benchmarks.people import host_marker, in_role

    host_marker()
    house = House.of(reviewers)
    people = {
        "starter": in_role("starter", "operator"),
        "auditor": in_role("load-auditor", "auditor"),
    }
    actor = Actor.system("benchmarks")
    bearers = {
        name: str(create_token(person=person, name="load", caller=actor).bearer)
        for name, person in people.items()
    }
    return {
        "reviewers": house.cookies,
        "auditor": session_cookie(people["auditor"]),
        "operator": session_cookie(people["starter"]),
        "bearers": {**bearers, "decider": house.bearer},
        "left_waiting": LEFT_WAITING,
    }


def _under_load(
    python: Path,
    accounts: Path,
    config: Config,
    pids: Mapping[str, int],
    options: argparse.Namespace,
    results: dict[str, Any],
    looks: Path,
) -> bool:
    """Whether locust saw failures. Figures go into `results`, each look into the file `looks` at once."""
    told = accounts.with_name("locust")
    with looks.open("w") as kept:

        def keep(sample: Mapping[str, Any]) -> None:
            kept.write(json.dumps(sample) + "\n")
            kept.flush()

        watcher = Watcher(config, pids, options.every, keep)
        watcher.start()
        try:
            # Its four programs are there whatever the number of people is.
            users = options.reviewers + 4
            outcome = subprocess.run(
                [
                    *(str(python), "-m", "locust", "-f", str(FOLDER / "scenarios.py")),
                    *("--headless", "--host", config.address, "--csv", str(told)),
                    *("--users", str(users), "--spawn-rate", "10", "--only-summary"),
                    *("--run-time", f"{options.seconds}s", "--stop-timeout", "20"),
                ],
                cwd=accounts.parent,
                env={
                    **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                    "COUNTERSIGN_LOAD_ACCOUNTS": str(accounts),
                    "COUNTERSIGN_LOAD_RUNS_A_SECOND": str(options.runs),
                },
                stdout=sys.stderr,
                check=False,
            )
        finally:
            watcher.stop()
    results["answers"] = _answers(told.with_name("locust_stats.csv"))
    results["failures"] = _rows(told.with_name("locust_failures.csv"))
    results["growth"] = growth(watcher.samples)
    results["each"] = bytes_each(watcher.samples)
    return outcome.returncode != 0


def _answers(path: Path) -> dict[str, dict[str, float]]:
    """By name of a request: how many, how many failed, how many a second, and milliseconds."""
    wanted = {
        "n": "Request Count",
        "failed": "Failure Count",
        "a_second": "Requests/s",
        "p50_ms": "50%",
        "p95_ms": "95%",
        "p99_ms": "99%",
    }
    return {
        row["Name"]: {
            name: round(float(row[column]), 2) if row[column] != "N/A" else 0.0
            for name, column in wanted.items()
        }
        for row in _rows(path)
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _lines(results: Mapping[str, Any]) -> list[str]:
    head = f"{'':28}{'n':>10}{'failed':>10}{'a second':>10}{'p50':>10}{'p95':>10}{'p99':>10}"
    rows = (
        f"{name:28}" + "".join(f"{value:>10.1f}" for value in row.values())
        for name, row in results["answers"].items()
    )
    failures = (
        f"{row['Occurrences']} × {row['Name']}: {row['Error']}" for row in results["failures"]
    )
    each = (f"{name}: {value}" for name, value in results["each"].items())
    return [head, *rows, *failures, "", *table(results["growth"]), "", *each]


if __name__ == "__main__":
    sys.exit(main())

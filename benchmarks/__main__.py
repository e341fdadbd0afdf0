"""`make bench`: start the product on embedded services, measure, write JSON and print a table."""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import model
from countersign.addresses import filled_in, prepare
from countersign.config import Config, load
from countersign.embedded import release_services

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "benchmarks" / "results"
READY_SECONDS = 60


def main() -> int:
    """Measure everything in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--sockets", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder:
        results = _in(Path(folder), options.cycles, options.sockets)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    _print(results)
    print(f"Written to {path.relative_to(PROJECT)}")
    return 0


def _in(folder: Path, cycles: int, sockets: int) -> dict[str, object]:
    port = _free_port()
    os.environ.update(
        DJANGO_SETTINGS_MODULE="countersign.settings",
        COUNTERSIGN_DATA_DIR=str(folder / "data"),
        COUNTERSIGN_APPS="benchmarks",
        COUNTERSIGN_UNDO_SECONDS="0",
        COUNTERSIGN_LOG_LEVEL="WARNING",
        OPENAI_BASE_URL=model.serve(),
        OPENAI_API_KEY="benchmark",
        OPENAI_MODEL="benchmark",
        PORT=str(port),
    )
    config = load()
    prepare(config)
    _export(filled_in(config))
    manage = [sys.executable, str(PROJECT / "manage.py")]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], check=True)
    processes = [
        subprocess.Popen([*manage, "rqworker-pool", queue, "--verbosity", "0"])
        for queue in ("resumes", "runs", "background")
    ]
    processes.append(subprocess.Popen([*manage, "scheduler"]))
    web = ("-m", "uvicorn", "countersign.asgi:application", "--port", str(port))
    processes.append(subprocess.Popen([sys.executable, *web, "--log-level", "warning"]))
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/health/ready")
        measure = [*manage, "measure", "--cycles", str(cycles), "--sockets", str(sockets)]
        output = subprocess.run(measure, check=True, stdout=subprocess.PIPE).stdout
        return dict(json.loads(output))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(15)
        release_services()


def _export(config: Config) -> None:
    """Give the addresses of the embedded services to the processes that are started here."""
    for name in ("database_url", "database_owner_url", "database_sealer_url", "redis_url"):
        os.environ[name.upper()] = str(getattr(config, name))


def _print(results: dict[str, object]) -> None:
    figures = results["figures"]
    assert isinstance(figures, dict)
    print(f"{'what':34} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9}")
    for name, row in figures.items():
        print(f"{name:34} {row['p50_ms']:9.2f} {row['p95_ms']:9.2f} {row['p99_ms']:9.2f}")
    print(results["ratios"])


def _wait_until_ready(url: str) -> None:
    ends = time.monotonic() + READY_SECONDS
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not turn green in {READY_SECONDS} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())

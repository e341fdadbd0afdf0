"""`make bench`: the product and its peers on this machine; results as JSON and as tables."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import product, report
from benchmarks.peers import environments as peers
from benchmarks.records import BUSY, circumstances, write
from countersign.programs import PROJECT


def main() -> int:
    """Measure everything in one run."""
    options = _options()
    os.environ["COUNTERSIGN_RESUME_WORKERS"] = str(options.workers)
    os.environ["COUNTERSIGN_RUN_WORKERS"] = str(options.workers)
    for peer in options.peers:
        peers.ready(peer)
    results = _circumstances(options)
    path = write("all", results)
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder:
        for name, figures in _systems(Path(folder), options):
            results["systems"][name] = figures
            # After each, so that what was measured is kept where a later one fails.
            write("all", results, path)
            print(f"Measured {name}.", file=sys.stderr)
        if options.decided:
            results["pages"] = _pages(Path(folder) / "pages.json", options)
            write("all", results, path)
    print("\n".join(report.lines(results)))
    if results["busy_before"] > BUSY:
        print(f"\nThis machine was not idle: {results['busy_before']:.0%} busy before the start.")
    print(f"\nWritten to {path.relative_to(PROJECT)}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--cycles", type=int, default=200, help="cycles one after the other")
    add("--sockets", type=int, default=500, help="browsers that wait for a hint; 0: none")
    add("--burst", type=int, default=1000, help="cycles at once; 0: leave it out")
    add("--parked", type=int, default=10_000, help="runs to park; 0: leave it out")
    add("--parked-seconds", type=int, default=240, help="no more are parked after that long")
    add("--decided", type=int, default=1_000_000, help="decided requests under pages; 0: no pages")
    add("--workers", type=int, default=2, help="worker processes for each of the two queues")
    add("--peers", nargs="*", choices=list(peers.MODES), default=list(peers.MODES))
    return parser.parse_args()


def _circumstances(options: argparse.Namespace) -> dict[str, Any]:
    return {
        **circumstances(),
        "options": vars(options),
        "python": platform.python_version(),
        "systems": {},
    }


def _systems(folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Figures by system, measured one system after the other on the same servers."""
    with product.model() as model, product.services(folder) as config:
        for peer in options.peers:
            for mode in peers.MODES[peer]:
                name = peer if mode == peers.PLAIN else f"{peer}, {mode}"
                yield name, peers.measure(config, peer, mode, options)
        with product.running(config) as pids:
            yield "countersign", product.measure({**pids, "model": model.pid}, options)


def _pages(into: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The pages over a large database, which is filled for them alone, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.pages", "--decided", str(options.decided)]
    command += ["--into", str(into)]
    done = subprocess.run(command, cwd=PROJECT, check=False, stdout=sys.stderr)
    # It also fails for pages that are slow, and has written then which.
    if not into.exists():
        done.check_returncode()
    return dict(json.loads(into.read_text()))


if __name__ == "__main__":
    sys.exit(main())

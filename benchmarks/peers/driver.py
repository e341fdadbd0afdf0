"""Drives one peer through the measurements, the same way for each. Runs in the peer's environment.

`measure` prints figures as JSON; it starts `serve` processes for the burst and `crash` and `recover`
for the test of what is left after a kill.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any, Protocol

import psycopg

from benchmarks.figures import burst_summary, summary
from benchmarks.recorder import Recorder, twice

WARM_UP = 10
# Of a slow one too, so that there is a spread.
FEWEST = 5
# Numbers of cycles, apart from those that are done one after the other.
BURST = 100_000
CRASHED = 1_000_000
COMMAND_SECONDS = 300
# No further cycle is begun after that long; the figures say how many there were.
ENOUGH_SECONDS = 60.0


@dataclass(frozen=True)
class Moments:
    """Of one cycle, on the monotonic clock in nanoseconds.

    `committed` is None where the system has no commit of the decision apart from its execution,
    `finished` where the cycle ends with the execution.
    """

    began: int
    parked: int
    called: int
    committed: int | None
    finished: int | None


class Peer(Protocol):
    """One system in one mode."""

    def cycle(self, number: int) -> Moments:
        """Start, park, approve and finish one."""

    def park(self, numbers: Sequence[int]) -> int:
        """Start them in this order and return when those that were started wait; how many that are.

        What would take longer than `ENOUGH_SECONDS` starts no more then.
        """

    def approve(self, numbers: Sequence[int]) -> None:
        """Approve all of them and return when all of them have finished."""

    def crash(self, number: int) -> None:
        """Do one whose action kills the process that executes it; does not return."""

    def recover(self, number: int) -> dict[str, Any]:
        """Bring a cycle to its end whose process was killed; what is worth saying about it."""

    def executions(self, number: int) -> int:
        """How often the action of the cycle happened."""

    def close(self) -> None:
        """Let go of everything."""


class Recorded:
    """For peers whose action is recorded outside, by the process that calls."""

    def cycle(self, number: int) -> Moments:
        """As in `Peer`."""
        raise NotImplementedError

    def crash(self, number: int) -> None:
        self.cycle(number)

    def executions(self, number: int) -> int:
        return sum(execution.number == number for execution in _recorder().all())


def main(
    modes: Sequence[str],
    make: Callable[[str, str], Peer],
    *,
    durable: bool = True,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Run one peer's script. `make` gets the mode and a name for this process.

    What is not `durable` promises nothing after a kill and is not asked. `notes` go into the results.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["measure", "serve", "crash", "recover"])
    parser.add_argument("--mode", choices=modes, required=True)
    parser.add_argument("--name", default="local")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--burst", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.what == "measure":
        results = {**(notes or {}), **_measure(options, make)}
        if durable:
            results["killed_after_action"] = _crash(options)
        print(json.dumps(results))
        return
    peer = make(options.mode, options.name)
    if options.what == "serve":
        _serve(peer)
    elif options.what == "crash":
        peer.crash(CRASHED)
    else:
        print(json.dumps(peer.recover(CRASHED) | {"executions": peer.executions(CRASHED)}))
    peer.close()


def _measure(options: argparse.Namespace, make: Callable[[str, str], Peer]) -> dict[str, Any]:
    results = _one_by_one(options, make)
    if options.burst:
        results["burst"] = _burst(options)
    return results


def _one_by_one(options: argparse.Namespace, make: Callable[[str, str], Peer]) -> dict[str, Any]:
    peer = make(options.mode, options.name)
    recorder = _recorder()
    recorder.forget()
    taken: dict[str, list[float]] = {
        "start_to_parked": [],
        "decision_to_executed": [],
        "decision_call_to_executed": [],
        "decision_call_to_finished": [],
    }
    ends = monotonic() + ENOUGH_SECONDS
    for number in range(WARM_UP + options.cycles):
        if monotonic() > ends and len(taken["start_to_parked"]) >= FEWEST:
            break
        moments = peer.cycle(number)
        executed = recorder.wait().moment
        if number < WARM_UP:
            continue
        taken["start_to_parked"].append((moments.parked - moments.began) / 1e6)
        taken["decision_call_to_executed"].append((executed - moments.called) / 1e6)
        finished = executed if moments.finished is None else moments.finished
        taken["decision_call_to_finished"].append((finished - moments.called) / 1e6)
        if moments.committed is not None:
            taken["decision_to_executed"].append((executed - moments.committed) / 1e6)
    peer.close()
    return {name: summary(values) for name, values in taken.items() if values}


def _burst(options: argparse.Namespace) -> dict[str, Any]:
    processes = [
        _process(options, "serve", f"worker-{number}") for number in range(options.processes)
    ]
    shares = [
        list(range(BURST + first, BURST + options.burst, options.processes))
        for first in range(options.processes)
    ]
    # Each has done one cycle, so that connections and plans are there.
    _answers(processes)
    recorder = _recorder()
    recorder.forget()
    size, memory = _database_bytes(), _own_bytes(processes)
    began = monotonic()
    parked = _tell(processes, [["park", *share] for share in shares])
    parked_seconds = monotonic() - began
    grown, more_memory = _database_bytes() - size, _own_bytes(processes) - memory
    began = monotonic()
    _tell(
        processes,
        [["approve", *share[:waiting]] for share, waiting in zip(shares, parked, strict=True)],
    )
    finished_seconds = monotonic() - began
    for process in processes:
        process.communicate("[]\n", timeout=COMMAND_SECONDS)
    numbers = [execution.number for execution in recorder.all()]
    marked = [number for number in numbers if BURST <= number < CRASHED]
    count = sum(parked)
    return {
        **burst_summary(count, parked_seconds, finished_seconds),
        "asked_for": options.burst,
        "bytes_per_parked": round(grown / count),
        "memory_per_parked": round(more_memory / count),
        "executed": len(marked),
        "executed_twice": twice(marked),
        "processes": options.processes,
    }


def _database_bytes() -> int:
    """What this peer's database takes on disk, indexes and dead rows included."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])


def _own_bytes(processes: Sequence["subprocess.Popen[str]"]) -> int:
    """Memory that would be free if these processes ended (Linux)."""
    kilobytes = 0
    for process in processes:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_"):
                kilobytes += int(line.split()[1])
    return kilobytes * 1024


def _crash(options: argparse.Namespace) -> dict[str, Any]:
    recorder = _recorder()
    recorder.forget()
    recorder.arm()
    crashed = _process(options, "crash", "local")
    crashed.communicate(timeout=COMMAND_SECONDS)
    if crashed.returncode != -9:
        raise RuntimeError(f"it was to be killed and ended with {crashed.returncode}")
    recovered = _process(options, "recover", "local")
    said, _ = recovered.communicate(timeout=COMMAND_SECONDS)
    return dict(json.loads(said.strip().splitlines()[-1]))


def _process(options: argparse.Namespace, what: str, name: str) -> subprocess.Popen[str]:
    module = sys.modules["__main__"].__spec__
    assert module is not None
    command = [sys.executable, "-m", module.name, what, "--mode", options.mode, "--name", name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _tell(processes: Sequence["subprocess.Popen[str]"], orders: Sequence[list[Any]]) -> list[int]:
    for process, order in zip(processes, orders, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
    return _answers(processes)


def _answers(processes: Sequence["subprocess.Popen[str]"]) -> list[int]:
    return [_answer(process) for process in processes]


def _answer(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    said = process.stdout.readline().split()
    if said[:1] != ["done"]:
        raise RuntimeError("a process of the burst has ended early")
    return int(said[1])


def _serve(peer: Peer) -> None:
    """Follow orders from standard input, one a line, and answer each when it is done."""
    peer.cycle(CRASHED + 1 + os.getpid())
    print("done", 1, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if not order:
            return
        what, *numbers = order
        if what == "park":
            print("done", peer.park(numbers), flush=True)
        else:
            peer.approve(numbers)
            print("done", len(numbers), flush=True)


def _recorder() -> Recorder:
    return Recorder(os.environ["REDIS_URL"])


def now() -> int:
    """This moment, on the clock of `Moments`."""
    return monotonic_ns()

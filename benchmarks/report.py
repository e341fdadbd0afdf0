"""The results as tables for people; ratios are to the bare floor of the same run."""

from collections.abc import Iterator
from typing import Any

from benchmarks import pages

FLOOR = "floor"
MISSING = "—"
# The processes that advance runs and show them; servers and the measuring client are others.
OURS = ("web", "resumes", "runs", "background", "scheduler")
LATENCIES = {
    "start → parked": "start_to_parked",
    "decision committed → executed": "decision_to_executed",
    "decision called → executed": "decision_call_to_executed",
    "decision called → finished": "decision_call_to_finished",
}


def lines(results: dict[str, Any]) -> Iterator[str]:
    """Every table, a line at a time."""
    systems = results["systems"]
    for title, name in LATENCIES.items():
        yield from _latencies(f"{title}, one after the other (ms)", name, systems)
    yield from _bursts(systems)
    yield from _standing(systems)
    yield from _crashes(systems)
    ours = systems["countersign"]
    if "request_to_hint" in ours:
        row = ours["request_to_hint"]
        yield from ("", f"request committed → hint, {row['sockets']} sockets (ms)")
        yield _row("countersign", row["p50_ms"], row["p95_ms"], row["p99_ms"])
    if "parked" in ours:
        yield from _parked(ours["parked"])
    if "burst" in ours:
        yield from ("", "processor seconds of the burst, by process")
        for process, seconds in ours["burst"].get("cpu_seconds", {}).items():
            yield _row(process, seconds)
    if "pages" in results:
        yield from pages.lines(results["pages"])


def _latencies(title: str, name: str, systems: dict[str, Any]) -> Iterator[str]:
    yield from ("", title, _row("", "p50", "p95", "p99", "p50 × floor"))
    floor = systems.get(FLOOR, {}).get(name)
    for system, figures in systems.items():
        row = figures.get(name)
        if row is None:
            yield _row(system, MISSING, MISSING, MISSING, MISSING)
            continue
        ratio = row["p50_ms"] / floor["p50_ms"] if floor else MISSING
        yield _row(system, row["p50_ms"], row["p95_ms"], row["p99_ms"], ratio)


def _bursts(systems: dict[str, Any]) -> Iterator[str]:
    bursts = {name: row["burst"] for name, row in systems.items() if "burst" in row}
    if not bursts:
        return
    count = next(iter(bursts.values()))["n"]
    titles = ("cycles/s", "floor ÷", "parked/s", "finished/s", "twice")
    yield from ("", f"{count} at once", _row("", *titles))
    floor = bursts.get(FLOOR)
    for system, row in bursts.items():
        rate = row["cycles_per_second"]
        ratio = floor["cycles_per_second"] / rate if floor else MISSING
        yield _row(
            system,
            *(rate, ratio, row["parked_per_second"], row["finished_per_second"]),
            row["executed_twice"],
        )


def _standing(systems: dict[str, Any]) -> Iterator[str]:
    yield from ("", "a parked run (bytes)", _row("", "database", "memory", "of"))
    for system, figures in systems.items():
        row = figures.get("burst", {})
        if "bytes_per_parked" in row:
            yield _row(system, row["bytes_per_parked"], row["memory_per_parked"], row["n"])
        elif "parked" in figures:
            parked = figures["parked"]
            before, after = parked["own_megabytes_before"], parked["own_megabytes_after"]
            grown = sum(after[name] - before[name] for name in OURS) * 1e6 / parked["n"]
            yield _row(system, parked["bytes_per_run"], round(grown), parked["n"])


def _crashes(systems: dict[str, Any]) -> Iterator[str]:
    yield from (
        "",
        "killed with SIGKILL right after the action",
        _row("", "executions", "decision"),
    )
    for system, figures in systems.items():
        row = figures.get("killed_after_action")
        if row is not None:
            kept = "lost" if row["decision_lost"] else "kept"
            yield _row(system, row["executions"], kept)


def _parked(row: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"{row['n']} parked runs", _row("bytes a run", row["bytes_per_run"]))
    for table, grown in row["tables"].items():
        yield _row(f"  {table}", grown["total"])
    yield from ("", _row("", "before", "after"))
    for process, before in row["own_megabytes_before"].items():
        yield _row(f"{process}, MB", before, row["own_megabytes_after"][process])
    for process, before in row["processes_before"].items():
        yield _row(f"{process}, processes", before, row["processes_after"][process])
    for path, before in row["pages_before"].items():
        yield _row(f"{path}, p50 ms", before["p50_ms"], row["pages_after"][path]["p50_ms"])


def _row(name: str, *values: object) -> str:
    return f"{name:38}" + "".join(f"{_cell(value):>13}" for value in values)


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)

"""The tables of `make bench`: what is not measured is not made up, and ratios are to the floor."""

from typing import Any

from benchmarks import pages, report
from benchmarks.figures import burst_summary, summary


def latency(milliseconds: float) -> dict[str, float]:
    return summary([milliseconds] * 3)


def figures(milliseconds: float, seconds: float, **more: Any) -> dict[str, Any]:
    burst = {**burst_summary(100, seconds, seconds), "executed_twice": 0}
    names = report.LATENCIES.values()
    return {**{name: latency(milliseconds) for name in names}, "burst": burst, **more}


def row_of(system: str, lines: list[str]) -> list[list[str]]:
    return [line.split()[1:] for line in lines if line.startswith(f"{system} ")]


def test_a_row_says_how_many_times_the_floor_it_took() -> None:
    ours = figures(6, 5)
    ours["burst"]["cpu_seconds"] = {"runs": 1.5}
    lines = list(report.lines({"systems": {"floor": figures(2, 0.5), "countersign": ours}}))
    latencies, *_, burst = row_of("countersign", lines)
    assert latencies == ["6.00", "6.00", "6.00", "3.00"]
    assert burst == ["10.00", "10.00", "20.00", "20.00", "0"]
    assert row_of("runs", lines) == [["1.50"]]


def test_what_a_system_does_not_have_is_a_dash() -> None:
    peer = figures(1, 1, killed_after_action={"executions": 2, "decision_lost": True})
    del peer["decision_to_executed"]
    lines = list(report.lines({"systems": {"peer": peer, "countersign": figures(1, 1)}}))
    assert ["—", "—", "—", "—"] in row_of("peer", lines)
    assert row_of("peer", lines)[-1] == ["2", "lost"]
    # Without a floor in the run there is nothing to be a multiple of.
    assert row_of("countersign", lines)[0][-1] == "—"


def test_pages_stand_with_their_statements_beside_the_floor_and_slow_ones_are_marked() -> None:
    page = {**latency(20), "processor_ms": 15.0, "statements": 9}
    figured: dict[str, Any] = {
        "pending": 10,
        "decided": 20,
        "busy_before": 0.1,
        "aim_ms": pages.AIM_MS,
        "floor": latency(2),
        "pages": pages.marked({"reviewer: inbox": page}),
    }
    results = {"systems": {"countersign": figures(1, 1)}, "pages": figured}
    lines = list(report.lines(results))
    assert lines[-1].split() == ["reviewer:", "inbox", "20.0", "20.0", "20.0", "15.0", "9"]
    assert lines[-2].split()[-4:] == ["2.0", "2.0", "2.0", "1"]
    assert "10 pending, 20 decided (ms in the server)" in lines
    assert not pages.is_missed(figured)
    slow = {**page, **latency(pages.AIM_MS + 1)}
    figured["pages"] = pages.marked({"reviewer: inbox": page, "auditor: log": slow})
    assert [one["slow"] for one in figured["pages"].values()] == [False, True]
    assert pages.is_missed(figured)
    lines = list(report.lines(results))
    assert lines[-1].strip() == "1 above the aim of 50 ms (p95)."
    assert lines[-2].split()[-2:] == ["9", "slow"]
    # Of a busy machine's time nothing follows.
    figured["busy_before"] = 0.3
    assert not pages.is_missed(figured)
    assert list(report.lines(results))[-1].strip().startswith("This machine was not idle: 30%")

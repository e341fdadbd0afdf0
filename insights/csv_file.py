"""The figures of a page as a file for a spreadsheet, safe to open in one."""

from __future__ import annotations

from collections.abc import Iterator

from audit.spreadsheet import line
from insights.people import Load
from insights.report import Number, Part, Report, Row, Time

COLUMNS = ("section", "name", "figure", "value", "of")


def csv_of(report: Report, people: list[Load]) -> bytes:
    """Lines of a section, what a figure is of, its name, its value and what it is a part of. Durations are
    seconds, money is in millionths of the currency unit."""
    cells = [COLUMNS, *_period(report), *_runs(report), *_requests(report), *_calls(report)]
    for section, rows in (
        ("agent", report.agents),
        ("version", report.versions),
        ("category", report.categories),
        ("tool", report.tools),
    ):
        for row in rows:
            cells += _row(section, row)
    cells += _points(report)
    for person in people:
        cells += _person(person)
    return b"".join(line([str(cell) for cell in each]) for each in cells)


Cells = tuple[object, object, object, object, object]


def _period(report: Report) -> Iterator[Cells]:
    asked = report.asked
    for name in ("since", "until", "step"):
        yield "asked", "", name, getattr(asked.period, name), ""
    for name in ("agent", "version", "category", "tool"):
        yield "asked", "", name, getattr(asked, name), ""


def _runs(report: Report) -> Iterator[Cells]:
    runs = report.runs
    if runs is None:
        return
    yield from _numbers("runs", "", [runs.started, runs.ended, runs.provisional, runs.unpriced])
    yield from _numbers("runs", "result", runs.results)
    yield "runs", "", "cost_micros", runs.cost_micros, ""
    yield "runs", "", "cost_of_success_micros", _known(runs.cost_of_success), ""
    for band, part in runs.bands:
        yield _part("complexity", band, "success", part)
    yield _part("runs", "", "retried", runs.retried)
    yield "runs", "", "attempts_repeated", runs.attempts, ""
    yield _part("runs", "", "intervened", runs.intervened)
    yield "runs", "", "mean_seconds_to_intervention", _known(runs.to_intervene), ""
    yield from _time("runs", "resolution", runs.resolved)
    yield from _time("runs", "resolution_without_waiting", runs.worked)
    yield from _numbers("failures", "", runs.failures)


def _requests(report: Report) -> Iterator[Cells]:
    yield from _numbers("waiting", "", report.waiting)
    yield _part("requests", "", "deadlines_met", report.deadlines)
    yield from _time("requests", "to_decide", report.to_decide)
    yield from _time("requests", "to_first_look", report.to_look)
    yield from _numbers("requests", "closed", report.decided)


def _calls(report: Report) -> Iterator[Cells]:
    yield from _numbers("calls", "", report.calls)
    for section, found in (("errors", report.errors), ("arguments", report.arguments)):
        for each in found:
            yield section, each.tool, each.key, each.number, ""


def _row(section: str, row: Row) -> Iterator[Cells]:
    if row.success is not None and row.intervened is not None:
        yield _part(section, row.key, "success", row.success)
        yield section, row.key, "cost_micros", _known(row.cost_micros), ""
        yield section, row.key, "cost_of_success_micros", _known(row.cost_of_success), ""
        yield _part(section, row.key, "intervened", row.intervened)
    yield _part(section, row.key, "auto", row.auto)
    yield section, row.key, "errors", row.errors.number, row.calls
    yield section, row.key, "requests_closed", row.decided, ""


def _points(report: Report) -> Iterator[Cells]:
    for point in report.points:
        for numbers, name in ((point.calls, "call"), (point.results, "run")):
            for each in numbers.values():
                yield "over_time", point.first, f"{name}_{each.key}", each.number, ""
        yield "over_time", point.first, "cost_micros", point.cost_micros, ""


def _person(person: Load) -> Iterator[Cells]:
    yield _part("people", person.name, "approved", person.approved)
    yield _part("people", person.name, "approved_before", person.before)
    yield _part("people", person.name, "high_risk_within_three_seconds", person.fast)
    yield "people", person.name, "mean_seconds_looked", _known(person.seconds), ""


def _numbers(section: str, name: str, numbers: list[Number]) -> Iterator[Cells]:
    for each in numbers:
        yield section, name, each.key, each.number, ""


def _time(section: str, name: str, time: Time) -> Iterator[Cells]:
    for figure in ("number", "mean", "median", "p90"):
        yield section, name, figure, _known(getattr(time, figure)), ""


def _part(section: str, name: str, figure: str, part: Part) -> Cells:
    return section, name, figure, part.number, part.of


def _known(value: float | None) -> object:
    return "" if value is None else value

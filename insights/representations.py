"""The report as programs read it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from insights.people import Load
from insights.report import Number, Part, Report, Row, Runs, Time


def report_json(
    report: Report, people: list[Load] | None, counted_at: str | None
) -> dict[str, Any]:
    """`people` is null for those who may not see figures of people; `runs` where one tool was asked for."""
    asked = report.asked
    return {
        "asked": {
            "since": asked.period.since.isoformat(),
            "until": asked.period.until.isoformat(),
            "step": asked.period.step.value,
            **{name: getattr(asked, name) for name in ("agent", "version", "category", "tool")},
        },
        "counted_at": counted_at,
        "runs": None if report.runs is None else _runs(report.runs),
        "requests": {
            "waiting_by_age": _numbers(report.waiting),
            "deadlines_met": _part(report.deadlines),
            "seconds_to_decide": _time(report.to_decide),
            "seconds_to_first_look": _time(report.to_look),
            "closed": _numbers(report.decided),
        },
        "calls": _numbers(report.calls),
        "errors": [_of(each) for each in report.errors],
        "arguments": [_of(each) for each in report.arguments],
        "by_agent": [_row(each) for each in report.agents],
        "by_version": [_row(each) for each in report.versions],
        "by_category": [_row(each) for each in report.categories],
        "by_tool": [_row(each) for each in report.tools],
        "over_time": [
            {
                "first": point.first.isoformat(),
                "last": point.last.isoformat(),
                "calls": {how.value: each.number for how, each in point.calls.items()},
                "runs": {result.value: each.number for result, each in point.results.items()},
                "cost_micros": point.cost_micros,
            }
            for point in report.points
        ],
        "people": None if people is None else [_person(each) for each in people],
    }


def _runs(runs: Runs) -> dict[str, Any]:
    return {
        "started": runs.started.number,
        "ended": runs.ended.number,
        "results": _numbers(runs.results),
        "success": _part(runs.success),
        "provisional": runs.provisional.number,
        "cost_micros": runs.cost_micros,
        "cost_of_success_micros": runs.cost_of_success,
        "unpriced": runs.unpriced.number,
        "success_by_steps": {band: _part(part) for band, part in runs.bands},
        "retried": _part(runs.retried),
        "attempts_repeated": runs.attempts,
        "intervened": _part(runs.intervened),
        "mean_seconds_to_intervention": runs.to_intervene,
        "seconds_to_resolution": _time(runs.resolved),
        "seconds_to_resolution_without_waiting": _time(runs.worked),
        "failures": _numbers(runs.failures),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.key,
        "success": None if row.success is None else _part(row.success),
        "cost_micros": row.cost_micros,
        "cost_of_success_micros": row.cost_of_success,
        "intervened": None if row.intervened is None else _part(row.intervened),
        "calls": row.calls,
        "auto": _part(row.auto),
        "errors": row.errors.number,
        "requests_closed": row.decided,
    }


def _person(load: Load) -> dict[str, Any]:
    return {
        "name": load.name,
        "verdicts": load.verdicts.number,
        "approved": _part(load.approved),
        "approved_before": _part(load.before),
        "approval_drift": load.drift,
        "high_risk_within_three_seconds": _part(load.fast),
        "mean_seconds_looked": load.seconds,
    }


def _numbers(numbers: list[Number]) -> dict[str, int]:
    return {each.key: each.number for each in numbers}


def _part(part: Part) -> dict[str, Any]:
    return {"number": part.number, "of": part.of, "share": part.share}


def _time(time: Time) -> dict[str, Any]:
    return {name: value for name, value in asdict(time).items() if name != "url"}


def _of(each: Any) -> dict[str, Any]:
    return {"tool": each.tool, "name": each.key, "number": each.number}

"""The report in words, as the template takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from agents.wording import plain
from approvals.request_lists import AGE_WORDS, HOWS
from audit import spellings
from insights.asking import Answer
from insights.charts import Bars, stacked
from insights.report import Number, Point, Row
from insights.vocabulary import (
    CATEGORY_WORDS,
    FAILURE_WORDS,
    HOW_WORDS,
    RESULT_WORDS,
    Failure,
    How,
    Result,
)
from insights.words import problem_words

CALL_TONES: Final = {
    How.AUTO: "soft",
    How.APPROVED: "accent",
    How.EDITED: "good",
    How.SENT_BACK: "medium",
    How.REJECTED: "high",
    How.STOPPED: "critical",
    How.EXPIRED: "third",
    How.DENIED: "second",
}
RESULT_TONES: Final = {
    Result.SUCCESS: "accent",
    Result.CORRECTED: "medium",
    Result.ABSTAINED: "third",
    Result.STOPPED: "high",
    Result.FAILED: "critical",
}


@dataclass(frozen=True)
class Said:
    """A number with its name in words; `share` of the most or the whole, 0 to 1, for a bar."""

    words: str
    number: int
    url: str
    share: float | None = None
    tone: str = ""


@dataclass(frozen=True)
class Series:
    """A chart and its figures: a line for each point, with what it is made of in the order of `legend`."""

    chart: Bars | None
    legend: list[Said]
    lines: list[tuple[str, list[Number]]]


@dataclass(frozen=True)
class Shown:
    """What the template shows beside the report itself."""

    waiting: list[Said]
    closed: list[Said]
    calls: Series
    results: Series
    failures: list[Said]
    errors: list[tuple[str, str, int, str]]
    arguments: list[tuple[str, str, int, str]]
    tables: list[tuple[str, list[tuple[str, Row]]]]


def page_of(answer: Answer, titles: Mapping[str, str]) -> Shown:
    """In the reader's language."""
    report = answer.report
    runs = report.runs
    return Shown(
        waiting=_said(report.waiting, AGE_WORDS),
        closed=_said(report.decided, HOWS),
        calls=_series(report.points, "calls", HOW_WORDS, CALL_TONES, report.calls),
        results=_series(
            report.points, "results", RESULT_WORDS, RESULT_TONES, runs.results if runs else []
        ),
        failures=_said(
            runs.failures if runs else [], {each.value: FAILURE_WORDS[each] for each in Failure}
        ),
        errors=[
            (_tool(each.tool), problem_words(each.key) or each.key, each.number, each.url)
            for each in report.errors
        ],
        arguments=[
            (_tool(each.tool), each.key, each.number, each.url) for each in report.arguments
        ],
        tables=[
            ("agent", [(titles.get(row.key, row.key), row) for row in report.agents]),
            (
                "version",
                [
                    (f"{titles.get(row.agent, row.agent)} {row.key[7:19]}", row)
                    for row in report.versions
                ],
            ),
            (
                "category",
                [(CATEGORY_WORDS.get(row.key, row.key), row) for row in report.categories],
            ),
            ("tool", [(plain(row.key), row) for row in report.tools]),
        ],
    )


def _said(
    numbers: Sequence[Number], words: Mapping[Any, str], tones: Mapping[Any, str] | None = None
) -> list[Said]:
    most = max((each.number for each in numbers), default=0)
    return [
        Said(
            words[each.key] if each.key in words else plain(each.key),
            each.number,
            each.url,
            each.number / most if most else None,
            (tones or {}).get(each.key, ""),
        )
        for each in numbers
    ]


def _series(
    points: Sequence[Point],
    what: str,
    words: Mapping[Any, str],
    tones: Mapping[Any, str],
    whole: Sequence[Number],
) -> Series:
    """Only what there was of it is told apart."""
    there = [key for key in tones if any(getattr(point, what)[key].number for point in points)]
    columns = []
    lines = []
    for point in points:
        parts = getattr(point, what)
        label = _label(point.first, point.last)
        counted = [
            f"{words[key]} {spellings.number(parts[key].number)}"
            for key in there
            if parts[key].number
        ]
        about = f"{label}: {', '.join(counted)}" if counted else label
        columns.append((label, about, [(tones[key], parts[key].number) for key in there]))
        lines.append((label, [parts[key] for key in there]))
    kept = [each for each in whole if each.key in there]
    return Series(stacked(columns), _said(kept, words, tones), lines)


def _label(first: date, last: date) -> str:
    day = spellings.day_and_month(first)
    if first == last:
        return day
    whole = first.day == 1 and (
        last.month != first.month or (last.day >= 28 and first.month == last.month)
    )
    return f"{spellings.month(first)} {first.year}" if whole else day


def _tool(name: str) -> str:
    return plain(name)

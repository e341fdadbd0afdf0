"""The figures that page, API and file show, each once, with where it leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from insights.histograms import quantile
from insights.links import Links
from insights.narrowing import ENDED
from insights.reading import Asked, Figures, Line, Sums
from insights.vocabulary import BANDS, How, Measure, Result
from insights.waiting import waiting_by_age

_M = Measure
#: Of these one person decided, or nobody had to.
DECIDED: Final = (How.APPROVED, How.EDITED, How.SENT_BACK, How.REJECTED, How.STOPPED)


@dataclass(frozen=True)
class Number:
    """A number of things, and the address of their list; empty where it leads nowhere."""

    key: str
    number: int
    url: str = ""


@dataclass(frozen=True)
class Part:
    """`number` of `of`; `share` is None where there is nothing to be a part of."""

    number: int
    of: int
    url: str = ""

    @property
    def share(self) -> float | None:
        return self.number / self.of if self.of else None


@dataclass(frozen=True)
class Time:
    """How long things took, in seconds: mean exactly, median and p90 within a tenth. None of none."""

    number: int
    mean: float | None
    median: float | None
    p90: float | None
    url: str = ""


@dataclass(frozen=True)
class Row:
    """How an agent, a version, a category or a tool did. Without runs (of a tool) those figures are None."""

    key: str
    agent: str
    url: str
    success: Part | None
    cost_micros: int | None
    cost_of_success: int | None
    intervened: Part | None
    calls: int
    auto: Part
    errors: Number
    decided: int


@dataclass(frozen=True)
class Point:
    """What one step of the period's charts sums."""

    first: date
    last: date
    calls: Mapping[How, Number]
    results: Mapping[Result, Number]
    cost_micros: int


@dataclass(frozen=True)
class Of:
    """A problem or an argument of a tool, and how many calls had it."""

    tool: str
    key: str
    number: int
    url: str


@dataclass(frozen=True)
class Runs:
    """Figures of whole runs."""

    started: Number
    ended: Number
    results: list[Number]
    success: Part
    provisional: Number
    cost_micros: int
    cost_of_success: int | None
    unpriced: Number
    bands: list[tuple[str, Part]]
    retried: Part
    attempts: int
    intervened: Part
    to_intervene: float | None
    resolved: Time
    worked: Time
    failures: list[Number]


@dataclass(frozen=True)
class Report:
    """All figures of what was asked. What is about whole runs is None where one tool was asked for."""

    asked: Asked
    waiting: list[Number]
    deadlines: Part
    missed: Number
    to_decide: Time
    to_look: Time
    decided: list[Number]
    calls: list[Number]
    errors: list[Of]
    arguments: list[Of]
    points: list[Point]
    agents: list[Row]
    versions: list[Row]
    categories: list[Row]
    tools: list[Row]
    runs: Runs | None


def report_of(figures: Figures, links: Links, now: datetime) -> Report:
    """Three statements."""
    asked = figures.asked
    sums, lines = figures.by_line()
    made = _Made(asked, links)
    closed = links.closed()
    deadlines = sums.of(_M.DEADLINE)
    return Report(
        asked=asked,
        waiting=[
            Number(age, number, links.waiting(age))
            for age, number in waiting_by_age(asked, figures.agents, now).items()
        ],
        deadlines=Part(
            deadlines.get("met", 0), sum(deadlines.values()), links.closed(deadline="met")
        ),
        missed=Number("missed", deadlines.get("missed", 0), links.closed(deadline="missed")),
        to_decide=_time(sums, _M.TO_DECIDE, links.closed(how="decided")),
        to_look=_time(sums, _M.TO_LOOK, closed),
        decided=[Number(how, n, links.closed(how=how)) for how, n in sums.of(_M.DECIDED).items()],
        calls=[
            Number(how.value, sums.number(_M.CALL, how), links.calls("call", how.value))
            for how in How
        ],
        errors=made.of_tools(lines, _M.ERROR, "error"),
        arguments=made.of_tools(lines, _M.ARGUMENT, "argument"),
        points=[made.point(days, each) for days, each in figures.series()],
        agents=made.rows(lines, lambda line: line.agent, "agent"),
        versions=made.rows(lines, lambda line: line.version, "version"),
        categories=made.rows(lines, lambda line: line.category, "category"),
        tools=made.tools(lines),
        runs=None if asked.tool else _runs(sums, links),
    )


def _runs(sums: Sums, links: Links) -> Runs:
    ended, successes = sums.whole(_M.RESULT), sums.number(_M.RESULT, Result.SUCCESS)
    intervened = sums.number(_M.INTERVENED)
    cost = sums.total(_M.RESULT)
    return Runs(
        started=Number("started", sums.number(_M.STARTED), links.runs()),
        ended=Number("ended", ended, links.runs(result=ENDED)),
        results=[
            Number(each.value, sums.number(_M.RESULT, each), links.runs(result=each.value))
            for each in Result
        ],
        success=Part(successes, ended, links.runs(result=Result.SUCCESS.value)),
        provisional=Number("provisional", sums.number(_M.PROVISIONAL), links.runs(provisional="1")),
        cost_micros=cost,
        cost_of_success=cost // successes if successes else None,
        unpriced=Number("unpriced", sums.number(_M.UNPRICED), links.runs(unpriced="1")),
        bands=[(band, _band(sums, band, links)) for band in BANDS.values()],
        retried=Part(sums.number(_M.RETRIED), ended, links.runs(retried="1")),
        attempts=sums.total(_M.RETRIED),
        intervened=Part(intervened, ended, links.runs(intervened="1")),
        to_intervene=sums.total(_M.INTERVENED) / intervened / 1_000 if intervened else None,
        resolved=_time(sums, _M.RESOLVED, links.runs(result=ENDED)),
        worked=_time(sums, _M.WORKED, links.runs(result=ENDED)),
        failures=[
            Number(key, number, links.runs(failure=key))
            for key, number in sums.of(_M.FAILURE).items()
            if number
        ],
    )


def _band(sums: Sums, band: str, links: Links) -> Part:
    good, other = (sums.number(_M.BAND, f"{band} {word}") for word in ("success", "other"))
    return Part(good, good + other, links.runs(band=band))


def _time(sums: Sums, measure: Measure, url: str) -> Time:
    buckets = sums.buckets(measure)
    number = sum(buckets.values())
    mean = sums.total(measure) / number / 1_000 if number else None
    return Time(number, mean, quantile(buckets, 0.5), quantile(buckets, 0.9), url)


class _Made:
    """Rows of tables, with where they lead."""

    def __init__(self, asked: Asked, links: Links) -> None:
        self.asked = asked
        self.links = links

    def point(self, days: tuple[date, date], sums: Sums) -> Point:
        period = type(self.asked.period)(*days, self.asked.period.step)
        return Point(
            *days,
            calls={
                how: Number(
                    how.value,
                    sums.number(_M.CALL, how),
                    self.links.calls("call", how.value, period=period),
                )
                for how in How
            },
            results={
                each: Number(
                    each.value,
                    sums.number(_M.RESULT, each),
                    self.links.runs(result=each.value, period=period),
                )
                for each in Result
            },
            cost_micros=sums.total(_M.RESULT),
        )

    def of_tools(self, lines: Mapping[Line, Sums], measure: Measure, name: str) -> list[Of]:
        """By tool and key, the most frequent first."""
        together, _ = _together(lines, lambda line: line.tool)
        found = [
            Of(tool, key, number, self.links.calls(name, key, tool=tool))
            for tool, sums in together.items()
            for key, number in sums.of(measure).items()
        ]
        return sorted(found, key=lambda each: (-each.number, each.tool, each.key))

    def rows(self, lines: Mapping[Line, Sums], by: Callable[[Line], str], name: str) -> list[Row]:
        """By agent, version or category; those with the most runs first."""
        together, agents = _together(lines, by)
        found = [
            self._row(key, agents[key], sums, self.links.page(**{name: key}), {name: key})
            for key, sums in together.items()
            if key
        ]
        return sorted(found, key=lambda row: (-(row.success.of if row.success else 0), row.key))

    def tools(self, lines: Mapping[Line, Sums]) -> list[Row]:
        """By tool, without the figures of whole runs."""
        together, _ = _together(lines, lambda line: line.tool)
        found = [
            self._row(tool, "", sums, self.links.page(tool=tool), {}, tool=tool)
            for tool, sums in together.items()
            if tool
        ]
        return sorted(found, key=lambda row: (-row.calls, row.key))

    def _row(
        self,
        key: str,
        agent: str,
        sums: Sums,
        url: str,
        narrowed: dict[str, str],
        tool: str | None = None,
    ) -> Row:
        whole = tool is None and not self.asked.tool
        ended, good = sums.whole(_M.RESULT), sums.number(_M.RESULT, Result.SUCCESS)
        cost = sums.total(_M.RESULT)
        calls = sum(sums.of(_M.CALL).values())
        errors = sums.whole(_M.ERROR)
        return Row(
            key=key,
            agent=agent,
            url=url,
            success=Part(
                good, ended, self.links.runs(period=None, result=Result.SUCCESS.value, **narrowed)
            )
            if whole
            else None,
            cost_micros=cost if whole else None,
            cost_of_success=cost // good if whole and good else None,
            intervened=Part(
                sums.number(_M.INTERVENED),
                ended,
                self.links.runs(period=None, intervened="1", **narrowed),
            )
            if whole
            else None,
            calls=calls,
            auto=Part(
                sums.number(_M.CALL, How.AUTO),
                calls,
                self.links.calls("call", How.AUTO.value, tool=tool, **narrowed),
            ),
            errors=Number("errors", errors, f"{url}#errors"),
            decided=sums.whole(_M.DECIDED),
        )


def _together(
    lines: Mapping[Line, Sums], by: Callable[[Line], str]
) -> tuple[dict[str, Sums], dict[str, str]]:
    """Lines that have one key in one sum, and the agent of each."""
    together: dict[str, Sums] = {}
    agents: dict[str, str] = {}
    for line, sums in lines.items():
        key = by(line)
        agents[key] = line.agent
        together.setdefault(key, Sums()).add_all(sums)
    return together, agents

"""Sums for a page, from the roll-ups: a statement for each part of it, whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection

from insights.periods import Period, Step
from insights.vocabulary import Measure

_M = Measure
#: Measures that are histograms of durations: their keys are buckets.
DURATIONS: Final = (_M.RESOLVED, _M.WORKED, _M.TO_DECIDE, _M.TO_LOOK)
_IN_SERIES: Final = (_M.CALL, _M.RESULT)
EVERY: Final = tuple(_M)
# Each part is a few ranges of the index. Where whole months are in it, they are read as such: the days of years
# are many.
_SUMMED: Final = """
SELECT {by}measure, {slice}key, sum(number), sum(total) FROM (
    SELECT measure, day, slice_id, key, number, total FROM insights_figure
     WHERE span = 'd' AND measure = ANY(%(measures)s) AND day >= %(since)s AND day < %(first)s
     UNION ALL
    SELECT measure, day, slice_id, key, number, total FROM insights_figure
     WHERE span = 'm' AND measure = ANY(%(measures)s) AND day >= %(first)s AND day < %(next)s
     UNION ALL
    SELECT measure, day, slice_id, key, number, total FROM insights_figure
     WHERE span = 'd' AND measure = ANY(%(measures)s) AND day >= %(next)s AND day <= %(until)s) AS figure
 WHERE %(all)s OR slice_id = ANY(%(slices)s)
 GROUP BY {by}measure, {slice}key
"""
_BY_LINE: Final = _SUMMED.format(by="", slice="slice_id, ")
_BY_DAY: Final = _SUMMED.format(by="day, ", slice="")
_PEOPLE: Final = """
SELECT person.id, coalesce(nullif(person.display_name, ''), person.username), figure.*
  FROM (SELECT person_id, sum(verdicts), sum(approved), sum(risky), sum(risky_approved), sum(fast), sum(timed),
               sum(active_seconds) FROM insights_personfigure
         WHERE day >= %(since)s AND day <= %(until)s AND (%(all)s OR slice_id = ANY(%(slices)s))
         GROUP BY person_id) AS figure
  JOIN accounts_user AS person ON person.id = figure.person_id
 ORDER BY 4 DESC, 2, 1
"""


@dataclass(frozen=True)
class Line:
    """What figures of a slice are told by; `tool` is empty for whole runs."""

    agent: str
    version: str
    category: str
    tool: str


@dataclass(frozen=True)
class Asked:
    """What figures are asked for; empty texts ask for nothing. With a tool, figures of whole runs are none."""

    period: Period
    agent: str = ""
    version: str = ""
    category: str = ""
    tool: str = ""

    @property
    def narrow(self) -> bool:
        """Whether it asks for less than everything of the period."""
        return bool(self.agent or self.version or self.category or self.tool)

    def takes(self, line: Line) -> bool:
        """Whether the figures of a slice are asked for."""
        return all(
            getattr(self, name) in ("", getattr(line, name))
            for name in ("agent", "version", "category", "tool")
        )


@dataclass(frozen=True)
class Sums:
    """Numbers and totals by measure and key."""

    numbers: Counter[tuple[str, str]] = field(default_factory=Counter)
    totals: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, measure: str, key: str, number: int, total: int) -> None:
        self.numbers[measure, key] += number
        self.totals[measure, key] += total

    def number(self, measure: Measure, key: str = "") -> int:
        return self.numbers[measure.value, key]

    def total(self, measure: Measure, key: str = "") -> int:
        return self.totals[measure.value, key]

    def of(self, measure: Measure) -> dict[str, int]:
        """Numbers by key, the largest first."""
        found = {key: n for (each, key), n in self.numbers.items() if each == measure.value}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def whole(self, measure: Measure) -> int:
        """The number of all keys."""
        return sum(n for (each, _), n in self.numbers.items() if each == measure.value)

    def whole_total(self, measure: Measure) -> int:
        """The total of all keys."""
        return sum(n for (each, _), n in self.totals.items() if each == measure.value)

    def buckets(self, measure: Measure) -> dict[int, int]:
        """Numbers by bucket of a duration."""
        return {int(key): n for (each, key), n in self.numbers.items() if each == measure.value}


@dataclass(frozen=True)
class Person:
    """What one person decided in a period. See `insights.models.PersonFigure`."""

    pk: int
    name: str
    verdicts: int
    approved: int
    risky: int
    risky_approved: int
    fast: int
    timed: int
    active_seconds: int


class Figures:
    """What is asked for, read from the sums; `lines` are all slices that have figures, by key."""

    def __init__(self, asked: Asked, lines: Mapping[int, Line], today: date) -> None:
        self.asked = asked
        self._today = today
        self._lines = {key: line for key, line in lines.items() if asked.takes(line)}

    def by_line(self) -> dict[Line, Sums]:
        """Sums of each slice. One statement."""
        found: dict[Line, Sums] = {}
        for measure, slice_id, key, number, total in _rows(_BY_LINE, self._given(EVERY)):
            sums = found.setdefault(self._lines[slice_id], Sums())
            sums.add(measure, key, int(number), int(total))
        return found

    def series(self) -> list[tuple[tuple[date, date], Sums]]:
        """Calls and results for each point of the period. One statement."""
        bins = [(each, Sums()) for each in self.asked.period.bins()]
        given = self._given(_IN_SERIES)
        if self.asked.period.step is not Step.MONTH:
            # Months have no days.
            given["first"] = given["next"] = self.asked.period.since
        place = {day: sums for (first, last), sums in bins for day in _days(first, last)}
        for day, measure, key, number, total in _rows(_BY_DAY, given):
            place[day].add(measure, key, int(number), int(total))
        return bins

    def people(self, period: Period) -> list[Person]:
        """What each person decided of the requests that were closed in a period, who decided most first. One
        statement."""
        given = {"since": period.since, "until": period.until, **self._which()}
        return [
            Person(pk, name, *(int(number) for number in rest))
            for pk, name, _, *rest in _rows(_PEOPLE, given)
        ]

    def _which(self) -> dict[str, Any]:
        return {"all": not self.asked.narrow, "slices": sorted(self._lines)}

    def _given(self, measures: Sequence[Measure]) -> dict[str, Any]:
        period = self.asked.period
        months = period.whole_months(self._today)
        first, last = months or (period.since, None)
        after = (last + timedelta(days=32)).replace(day=1) if last else first
        return {
            "measures": [each.value for each in measures],
            "since": period.since,
            "first": first,
            "next": after,
            "until": period.until,
            **self._which(),
        }


def whole_of(lines: Mapping[Line, Sums]) -> Sums:
    """All of them in one sum."""
    whole = Sums()
    for sums in lines.values():
        whole.numbers.update(sums.numbers)
        whole.totals.update(sums.totals)
    return whole


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]


def _rows(statement: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

"""Sums for a page, from the roll-ups: a statement for each part of it, whatever is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection

from insights.periods import Period, Step
from insights.vocabulary import Measure

_M = Measure
_IN_SERIES: Final = (_M.CALL, _M.RESULT)
#: Told for each slice; of the others, whose keys are many, nothing but their whole is ever shown.
BY_LINE: Final = (
    *(_M.STARTED, _M.RESULT, _M.INTERVENED),
    *(_M.CALL, _M.ERROR, _M.ARGUMENT, _M.DECIDED),
)
EVERY: Final = tuple(_M)
# Each part is a few ranges of the index. Where whole months are in it, they are read as such: the days of years
# are many. Slices are sieved and not searched for, each of them in each range: they stand close together there.
_SUMMED: Final = """
SELECT {by}, measure, key, sum(number)::bigint, sum(total)::bigint FROM (
    SELECT measure, day, slice_id, key, number, total FROM insights_figure
     WHERE span = 'd' AND measure = ANY(%(measures)s) AND day >= %(since)s AND day < %(first)s
     UNION ALL
    SELECT measure, day, slice_id, key, number, total FROM insights_figure
     WHERE span = 'm' AND measure = ANY(%(measures)s) AND day >= %(first)s AND day < %(next)s
     UNION ALL
    SELECT measure, day, slice_id, key, number, total FROM insights_figure
     WHERE span = 'd' AND measure = ANY(%(measures)s) AND day >= %(next)s AND day <= %(until)s) AS figure
 WHERE %(all)s OR slice_id + 0 = ANY(%(slices)s)
 GROUP BY 1, measure, key
"""
_BY_LINE: Final = _SUMMED.format(by="CASE WHEN measure = ANY(%(by_line)s) THEN slice_id END")
_BY_DAY: Final = _SUMMED.format(by="day")
# Who decided nothing in the period itself is none of its people.
_PEOPLE: Final = """
SELECT person.id, coalesce(nullif(person.display_name, ''), person.username), figure.*
  FROM (SELECT person_id, sum(verdicts) FILTER (WHERE day >= %(since)s)::bigint AS verdicts,
               sum(approved) FILTER (WHERE day >= %(since)s)::bigint,
               sum(verdicts) FILTER (WHERE day < %(since)s)::bigint,
               sum(approved) FILTER (WHERE day < %(since)s)::bigint,
               sum(risky_approved) FILTER (WHERE day >= %(since)s)::bigint,
               sum(fast) FILTER (WHERE day >= %(since)s)::bigint, sum(timed) FILTER (WHERE day >= %(since)s)::bigint,
               sum(active_seconds) FILTER (WHERE day >= %(since)s)::bigint
          FROM insights_personfigure
         WHERE day >= %(before)s AND day <= %(until)s AND (%(all)s OR slice_id = ANY(%(slices)s))
         GROUP BY person_id) AS figure
  JOIN accounts_user AS person ON person.id = figure.person_id
 WHERE figure.verdicts > 0
 ORDER BY figure.verdicts DESC, 2, 1
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


class Sums:
    """Numbers by measure and key, and totals by measure."""

    __slots__ = ("_numbers", "_totals")

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}
        self._totals: dict[str, int] = {}

    def add(self, measure: str, key: str, number: int, total: int) -> None:
        """Add to what is there."""
        numbers = self._numbers.setdefault(measure, {})
        numbers[key] = numbers.get(key, 0) + number
        if total:
            self._totals[measure] = self._totals.get(measure, 0) + total

    def add_all(self, other: Sums) -> None:
        """Add all of another one."""
        for measure, found in other._numbers.items():
            numbers = self._numbers.setdefault(measure, {})
            for key, number in found.items():
                numbers[key] = numbers.get(key, 0) + number
        for measure, total in other._totals.items():
            self._totals[measure] = self._totals.get(measure, 0) + total

    def number(self, measure: Measure, key: str = "") -> int:
        return self._numbers.get(measure.value, {}).get(key, 0)

    def of(self, measure: Measure) -> dict[str, int]:
        """Numbers by key, the largest first."""
        found = self._numbers.get(measure.value, {})
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def whole(self, measure: Measure) -> int:
        """The number of all keys."""
        return sum(self._numbers.get(measure.value, {}).values())

    def total(self, measure: Measure) -> int:
        """The total of all keys."""
        return self._totals.get(measure.value, 0)

    def buckets(self, measure: Measure) -> dict[int, int]:
        """Numbers by bucket of a duration."""
        return {int(key): n for key, n in self._numbers.get(measure.value, {}).items()}


@dataclass(frozen=True)
class Person:
    """What one person decided in a period, and how many verdicts and approvals there were in the one before. See
    `insights.models.PersonFigure`."""

    pk: int
    name: str
    verdicts: int
    approved: int
    verdicts_before: int
    approved_before: int
    risky_approved: int
    fast: int
    timed: int
    active_seconds: int


class Figures:
    """What is asked for, read from the sums; `lines` are all slices that have figures, by key. `agents`: those of
    which any is asked for, with whatever tool."""

    def __init__(self, asked: Asked, lines: Mapping[int, Line], today: date) -> None:
        self.asked = asked
        self._today = today
        self._lines = {key: line for key, line in lines.items() if asked.takes(line)}
        of_any_tool = replace(asked, tool="")
        self.agents = sorted({line.agent for line in lines.values() if of_any_tool.takes(line)})

    def by_line(self) -> tuple[Sums, dict[Line, Sums]]:
        """Sums of everything, and those of `BY_LINE` of each slice. One statement."""
        whole = Sums()
        found: dict[int, Sums] = {}
        for slice_id, *told in _rows(_BY_LINE, self._given(EVERY)):
            whole.add(*told)
            if slice_id is not None:
                found.setdefault(slice_id, Sums()).add(*told)
        return whole, {self._lines[key]: sums for key, sums in found.items()}

    def series(self) -> list[tuple[tuple[date, date], Sums]]:
        """Calls and results for each point of the period. One statement."""
        bins = [(each, Sums()) for each in self.asked.period.bins()]
        given = self._given(_IN_SERIES)
        if self.asked.period.step is not Step.MONTH:
            # Months have no days.
            given["first"] = given["next"] = self.asked.period.since
        place = {day: sums for (first, last), sums in bins for day in _days(first, last)}
        for day, *told in _rows(_BY_DAY, given):
            place[day].add(*told)
        return bins

    def people(self) -> list[Person]:
        """What each person decided of the requests that were closed in the period, who decided most first. One
        statement."""
        period = self.asked.period
        days = {"since": period.since, "until": period.until, "before": period.before.since}
        return [
            Person(pk, name, *(number or 0 for number in rest))
            for pk, name, _, *rest in _rows(_PEOPLE, {**days, **self._which()})
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
            "by_line": [each.value for each in BY_LINE],
            "since": period.since,
            "first": first,
            "next": after,
            "until": period.until,
            **self._which(),
        }


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]


def _rows(statement: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

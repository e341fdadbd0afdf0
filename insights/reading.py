"""Sums for a page, from the roll-ups: three statements, whatever is asked, and two more about people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from django.db import connection

from insights.periods import Period
from insights.vocabulary import Measure

_M = Measure
#: Measures that are histograms of durations: their keys are buckets.
DURATIONS: Final = (_M.RESOLVED, _M.WORKED, _M.TO_DECIDE, _M.TO_LOOK)
_IN_LINES: Final = (
    *(_M.STARTED, _M.RESULT, _M.INTERVENED, _M.CALL, _M.ERROR, _M.ARGUMENT, _M.DECIDED),
)
_IN_SERIES: Final = (_M.CALL, _M.RESULT)
#: Where whole months are in it, they are read as such: the days of years are many.
_DAYS: Final = """(
       (figure.span = 'd' AND figure.day >= %(since)s AND figure.day <= %(until)s
        AND NOT (figure.day >= %(first)s AND figure.day < %(next)s))
    OR (figure.span = 'm' AND figure.day >= %(first)s AND figure.day < %(next)s))"""
_FROM: Final = """
  FROM insights_figure AS figure JOIN insights_slice AS slice ON slice.id = figure.slice_id
 WHERE {days}
   AND (%(agent)s = '' OR slice.agent = %(agent)s) AND (%(version)s = '' OR slice.version = %(version)s)
   AND (%(category)s = '' OR slice.category = %(category)s) AND (%(tool)s = '' OR slice.tool = %(tool)s)
"""


@dataclass(frozen=True)
class Asked:
    """What figures are asked for; empty texts ask for nothing. With a tool, figures of whole runs are none."""

    period: Period
    agent: str = ""
    version: str = ""
    category: str = ""
    tool: str = ""

    def given(self, *, today: date, period: Period | None = None) -> dict[str, Any]:
        """What statements are given."""
        asked = period or self.period
        months = asked.whole_months(today)
        # No day lies between a moment and itself.
        first, last = months or (asked.since, None)
        after = (last + timedelta(days=32)).replace(day=1) if last else first
        return {
            "since": asked.since,
            "until": asked.until,
            "first": first,
            "next": after,
            "agent": self.agent,
            "version": self.version,
            "category": self.category,
            "tool": self.tool,
        }


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
class Line:
    """What figures of a slice are told by."""

    agent: str
    version: str
    category: str
    tool: str


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


def read_sums(asked: Asked, today: date) -> Sums:
    """Everything that is asked for, in one sum."""
    sums = Sums()
    statement = f"SELECT figure.measure, figure.key, sum(figure.number), sum(figure.total) {_from()} GROUP BY 1, 2"
    for measure, key, number, total in _rows(statement, asked.given(today=today)):
        sums.add(measure, key, int(number), int(total))
    return sums


def read_lines(asked: Asked, today: date) -> dict[Line, Sums]:
    """The same by agent, version and tool, without durations."""
    lines: dict[Line, Sums] = {}
    statement = (
        "SELECT slice.agent, slice.version, slice.category, slice.tool, figure.measure, figure.key,"
        f" sum(figure.number), sum(figure.total) {_from(_IN_LINES)} GROUP BY 1, 2, 3, 4, 5, 6"
    )
    for *line, measure, key, number, total in _rows(statement, asked.given(today=today)):
        sums = lines.setdefault(Line(*line), Sums())
        sums.add(measure, key, int(number), int(total))
    return lines


def read_series(asked: Asked, today: date) -> list[tuple[tuple[date, date], Sums]]:
    """Calls and results for each point of the period."""
    bins = [(each, Sums()) for each in asked.period.bins()]
    statement = (
        "SELECT figure.day, figure.measure, figure.key, sum(figure.number), sum(figure.total)"
        f" {_from(_IN_SERIES)} GROUP BY 1, 2, 3"
    )
    given = asked.given(today=today)
    if asked.period.step != "month":
        # Months have no days.
        given |= {"first": asked.period.since, "next": asked.period.since}
    place = {day: sums for (first, last), sums in bins for day in _days(first, last)}
    for day, measure, key, number, total in _rows(statement, given):
        place[day].add(measure, key, int(number), int(total))
    return bins


def read_people(asked: Asked, period: Period) -> list[Person]:
    """What each person decided of the requests that were closed in a period, who decided most first."""
    statement = """
SELECT person.id, coalesce(nullif(person.display_name, ''), person.username), sum(figure.verdicts),
       sum(figure.approved), sum(figure.risky), sum(figure.risky_approved), sum(figure.fast), sum(figure.timed),
       sum(figure.active_seconds)
  FROM insights_personfigure AS figure JOIN insights_slice AS slice ON slice.id = figure.slice_id
  JOIN accounts_user AS person ON person.id = figure.person_id
 WHERE figure.day >= %(since)s AND figure.day <= %(until)s
   AND (%(agent)s = '' OR slice.agent = %(agent)s) AND (%(version)s = '' OR slice.version = %(version)s)
   AND (%(category)s = '' OR slice.category = %(category)s) AND (%(tool)s = '' OR slice.tool = %(tool)s)
 GROUP BY 1, 2 ORDER BY 3 DESC, 2, 1
"""
    given = asked.given(today=period.until, period=period)
    rows = _rows(statement, {name: given[name] for name in given if name not in ("first", "next")})
    return [Person(pk, name, *(int(number) for number in rest)) for pk, name, *rest in rows]


def _from(measures: Sequence[Measure] = ()) -> str:
    only = ", ".join(f"'{each.value}'" for each in measures)
    return _FROM.format(days=_DAYS) + (f"   AND figure.measure IN ({only})\n" if only else "")


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]


def _rows(statement: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

"""Which days are asked for, and in which steps they are shown. Days are of UTC. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

#: As far back as one look goes: ten years.
MOST_DAYS: Final = 3_660


class Step(StrEnum):
    """What one point of a chart sums."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Named(StrEnum):
    """A period that ends today."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_DAYS: Final = {Named.DAY: 1, Named.WEEK: 7, Named.MONTH: 30, Named.QUARTER: 91, Named.YEAR: 365}


@dataclass(frozen=True)
class Period:
    """Two days, both included, and how they are shown."""

    since: date
    until: date
    step: Step

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1

    @property
    def before(self) -> Period:
        """The period of the same length that ends where this one begins."""
        until = self.since - timedelta(days=1)
        return Period(until - timedelta(days=self.days - 1), until, self.step)

    def bins(self) -> Iterator[tuple[date, date]]:
        """First and last day of each point, in order; the outer ones are cut by the period."""
        first = self.since
        while first <= self.until:
            last = min(_last_of(first, self.step), self.until)
            yield first, last
            first = last + timedelta(days=1)

    def whole_months(self, today: date) -> tuple[date, date] | None:
        """First days of the first and last whole month of it that is over; None where there are fewer than two."""
        first = self.since if self.since.day == 1 else _month_after(self.since)
        end = min((self.until + timedelta(days=1)).replace(day=1), today.replace(day=1))
        last = (end - timedelta(days=1)).replace(day=1)
        return (first, last) if last > first else None


def named(period: Named, today: date) -> Period:
    """The last day, week, month, quarter or year up to today."""
    return between(today - timedelta(days=_DAYS[period] - 1), today)


def between(since: date, until: date, step: Step | None = None) -> Period:
    """Those days; without a step in one that makes a readable chart."""
    days = (until - since).days + 1
    fits = Step.DAY if days <= 45 else Step.WEEK if days <= 200 else Step.MONTH
    return Period(since, until, step or fits)


def _last_of(day: date, step: Step) -> date:
    """The last day of the day, ISO week or month that the day is in."""
    if step is Step.DAY:
        return day
    if step is Step.WEEK:
        return day + timedelta(days=6 - day.weekday())
    return _month_after(day) - timedelta(days=1)


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)

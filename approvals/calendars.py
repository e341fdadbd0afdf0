"""Working calendars: which hours count, and what so many of them come to. Pure.

A moment counts when the clock on the wall, in the calendar's time zone, stands within the hours of its
weekday and its date is no holiday. So the hour that a spring night leaves out never counts, and the one
that an autumn night has twice counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from django.utils.translation import gettext
from pydantic import AfterValidator, Field, StringConstraints, ValidationError, field_validator

from approvals.calendar_errors import BadCalendar
from approvals.schemas import Shape
from approvals.zones import ZoneName

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)
MOST_HOLIDAYS: Final = 1_000
MOST_INTERVALS: Final = 12
MIDNIGHT: Final = 24 * 60
#: A calendar with less than this in its week would turn a deadline of days into one of centuries.
LEAST_MINUTES: Final = 60

_INTERVAL: Final = re.compile(
    r"^([01]\d|2[0-3]):([0-5]\d)\s*[-–]\s*(?:([01]\d|2[0-3]):([0-5]\d)|(24):(00))$"
)
_CHUNK: Final = timedelta(days=1)

Minutes = tuple[int, int]


def _minutes(text: str) -> Minutes:
    """Minutes of the day of `09:00-17:00`. The end may lie on the next day: `22:00-06:00`."""
    found = _INTERVAL.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            gettext("{span} is no span of hours; write 09:00-17:00").format(
                span=text.strip() or "nothing"
            )
        )
    hour, minute, *rest = (int(part) for part in found.groups() if part is not None)
    start, until = hour * 60 + minute, rest[0] * 60 + rest[1]
    if start == until:
        raise ValueError(
            gettext("{span} has no length; a whole day is 00:00-24:00").format(span=text.strip())
        )
    return start, until


def as_written(text: str) -> str:
    """A span in its one spelling; a ValueError says how to write one."""
    start, until = _minutes(text)
    return f"{_clock(start)}-{_clock(until)}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


Span = Annotated[str, AfterValidator(as_written)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class Holiday(Shape):
    """A date, in the calendar's time zone, of which no hour counts."""

    day: date
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Calendar(Shape):
    """Which hours count. `hours` are spans such as `09:00-17:00` by weekday; a weekday left out has none.

    A span whose end is not after its beginning runs over midnight; what lies on the next day belongs to
    that day, and a holiday there takes it out.
    """

    slug: Slug
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    timezone: ZoneName = "UTC"
    hours: dict[Weekday, Annotated[tuple[Span, ...], Field(max_length=MOST_INTERVALS)]]
    holidays: Annotated[tuple[Holiday, ...], Field(max_length=MOST_HOLIDAYS)] = ()

    @field_validator("holidays")
    @classmethod
    def _each_day_once(cls, holidays: tuple[Holiday, ...]) -> tuple[Holiday, ...]:
        days = [holiday.day for holiday in holidays]
        twice = sorted({day.isoformat() for day in days if days.count(day) > 1})
        if twice:
            raise ValueError(
                gettext("{twice} stands twice; name each day once").format(twice=", ".join(twice))
            )
        return tuple(sorted(holidays, key=lambda holiday: holiday.day))

    @cached_property
    def week(self) -> tuple[tuple[Minutes, ...], ...]:
        """For Monday to Sunday the minutes of the day that count, split at midnight, in order."""
        days: list[list[Minutes]] = [[] for _ in WEEKDAYS]
        for index, weekday in enumerate(WEEKDAYS):
            for start, until in map(_minutes, self.hours.get(weekday, ())):
                if until > start:
                    days[index].append((start, until))
                    continue
                days[index].append((start, MIDNIGHT))
                if until:
                    days[(index + 1) % len(WEEKDAYS)].append((0, until))
        return tuple(tuple(sorted(spans)) for spans in days)

    @cached_property
    def days_off(self) -> frozenset[date]:
        """The dates of the holidays."""
        return frozenset(holiday.day for holiday in self.holidays)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone whose clock counts."""
        return ZoneInfo(self.timezone)

    def document(self) -> dict[str, Any]:
        """The calendar as JSON types; `load` reads it back."""
        return self.model_dump(mode="json")


def load(document: Mapping[str, Any]) -> Calendar:
    """The calendar of a JSON document; `BadCalendar` names each field and what to change."""
    try:
        calendar = Calendar.model_validate(dict(document))
    except ValidationError as error:
        raise BadCalendar(
            [
                {
                    "field": ".".join(str(part) for part in item["loc"]) or "hours",
                    "message": item["msg"].removeprefix("Value error, "),
                }
                for item in error.errors(include_url=False)
            ]
        ) from error
    problems = list(_problems(calendar))
    if problems:
        raise BadCalendar(problems)
    return calendar


@lru_cache(maxsize=64)
def as_stored(document: bytes) -> Calendar:
    """The calendar of a stored JSON text, which held when it was stored; lists have the same one often."""
    return Calendar.model_validate_json(document)


def _problems(calendar: Calendar) -> Iterator[dict[str, str]]:
    for weekday, spans in zip(WEEKDAYS, calendar.week, strict=True):
        if any(start < until for (_, until), (start, _) in pairwise(spans)):
            said = gettext("two spans that count on {words} overlap").format(
                words=weekday.capitalize()
            )
            yield {"field": f"hours.{weekday}", "message": said}
    if sum(until - start for spans in calendar.week for start, until in spans) < LEAST_MINUTES:
        said = gettext("a calendar needs at least one hour in its week, or nothing is ever due")
        yield {"field": "hours", "message": said}


def add_working(start: datetime, seconds: float, calendar: Calendar) -> datetime:
    """The first moment at which so many working seconds have passed since `start` (aware); in UTC."""
    left = timedelta(seconds=seconds)
    start = start.astimezone(UTC)
    if left <= timedelta(0):
        return start
    for begin, end in _working(start, calendar):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise AssertionError("the spans of a calendar do not end")


def working_seconds_between(start: datetime, end: datetime, calendar: Calendar) -> float:
    """How many working seconds lie between two moments (aware); 0 where the end is not the later."""
    until = end.astimezone(UTC)
    passed = timedelta(0)
    for begin, stop in _working(start.astimezone(UTC), calendar):
        if begin >= until:
            break
        passed += min(stop, until) - begin
    return passed.total_seconds()


def _working(start: datetime, calendar: Calendar) -> Iterator[tuple[datetime, datetime]]:
    """The spans that count from `start` on, in order, in UTC, without an end."""
    while True:
        for begin, end, offset in _steady(start, start + _CHUNK, calendar.zone):
            yield from _counted(begin, end, offset, calendar)
        start += _CHUNK


def _steady(
    begin: datetime, end: datetime, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The time between, cut where the zone's clock is put forward or back, with its offset from UTC."""
    offset = _offset(begin, zone)
    if offset == _offset(end, zone):
        yield begin, end, offset
        return
    before, after = begin, end
    while after - before > timedelta.resolution:
        middle = before + (after - before) / 2
        if _offset(middle, zone) == offset:
            before = middle
        else:
            after = middle
    yield begin, after, offset
    yield from _steady(after, end, zone)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None, "a zone has an offset at every moment"
    return offset


def _counted(
    begin: datetime, end: datetime, offset: timedelta, calendar: Calendar
) -> Iterator[tuple[datetime, datetime]]:
    """The spans that count in a time in which the offset stays the same."""
    midnight = (begin + offset).replace(hour=0, minute=0, second=0, microsecond=0) - offset
    while midnight < end:
        day = (midnight + offset).date()
        if day not in calendar.days_off:
            for start, until in calendar.week[day.weekday()]:
                first = max(begin, midnight + timedelta(minutes=start))
                last = min(end, midnight + timedelta(minutes=until))
                if first < last:
                    yield first, last
        midnight += _CHUNK

"""Working calendars: the arithmetic against a slow count, clock changes, holidays, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.calendar_errors import BadCalendar
from approvals.calendars import (
    WEEKDAYS,
    Calendar,
    add_working,
    load,
    working_seconds_between,
)

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def calendar(hours: dict[str, list[str]] | None = None, **changes: Any) -> Calendar:
    week = {day: ["09:00-17:00"] for day in WEEKDAYS[:5]}
    document = {"slug": "office", "title": "Office", "timezone": "Europe/Berlin"}
    return load(document | {"hours": week if hours is None else hours} | changes)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def counts(moment: datetime, calendar: Calendar) -> bool:
    """Whether the minute from this moment counts: by the clock on the wall, and by nothing else."""
    local = moment.astimezone(calendar.zone)
    if local.date() in calendar.days_off:
        return False
    minute = local.hour * 60 + local.minute
    for back in (0, 1):
        day = WEEKDAYS[(local.weekday() - back) % 7]
        for span in calendar.hours.get(day, ()):
            start, until = (int(part[:2]) * 60 + int(part[3:]) for part in span.split("-"))
            until += 24 * 60 if until <= start else 0
            if start <= minute + back * 24 * 60 < until:
                return True
    return False


def counted_slowly(start: datetime, end: datetime, calendar: Calendar) -> float:
    seconds = 0
    while start < end:
        seconds += 60 * counts(start, calendar)
        start += MINUTE
    return float(seconds)


def loaded(hours: dict[str, list[str]], timezone: str, off: list[int]) -> Calendar | None:
    first = date(2026, 3, 1)
    days = [(first + timedelta(days=number)).isoformat() for number in off]
    holidays = [{"day": day, "name": "Off"} for day in days]
    try:
        return calendar(hours, timezone=timezone, holidays=holidays)
    except BadCalendar:
        return None


_quarters = st.lists(st.integers(0, 96), min_size=2, max_size=4, unique=True).map(sorted)


def _spans(quarters: list[int]) -> list[str]:
    clock = [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in quarters]
    spans = [f"{start}-{until}" for start, until in zip(clock[::2], clock[1::2], strict=False)]
    # The last span runs over midnight where an odd number was drawn.
    return [*spans, "23:00-01:30"] if len(clock) % 2 and quarters[-1] < 92 else spans


#: Any week of spans, some over midnight, with or without holidays, in zones that change their clocks.
calendars = st.builds(
    loaded,
    st.dictionaries(st.sampled_from(WEEKDAYS), _quarters.map(_spans), min_size=1),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]
    ),
    st.lists(st.integers(0, 260), max_size=5, unique=True),
).filter(bool)

#: Around the nights in which the zones above change their clocks.
moments = st.tuples(
    st.sampled_from(
        [
            datetime(2026, 3, 7, tzinfo=UTC),
            datetime(2026, 3, 28, tzinfo=UTC),
            datetime(2026, 4, 4, tzinfo=UTC),
            datetime(2026, 9, 5, tzinfo=UTC),
            datetime(2026, 10, 3, tzinfo=UTC),
            datetime(2026, 10, 24, tzinfo=UTC),
            datetime(2026, 10, 31, tzinfo=UTC),
        ]
    ),
    st.integers(0, 3 * 24 * 60),
).map(lambda drawn: drawn[0] + drawn[1] * MINUTE)


@settings(max_examples=150)
@given(calendars, moments, st.integers(0, 4 * 24 * 60))
def test_what_lies_between_is_what_the_clock_on_the_wall_counts(
    calendar: Calendar, start: datetime, minutes: int
) -> None:
    end = start + minutes * MINUTE
    assert working_seconds_between(start, end, calendar) == counted_slowly(start, end, calendar)


@settings(max_examples=150)
@given(calendars, moments, st.integers(0, 50 * 60 * 60))
def test_adding_gives_the_first_moment_at_which_so_much_has_passed(
    calendar: Calendar, start: datetime, seconds: int
) -> None:
    end = add_working(start, seconds, calendar)
    assert working_seconds_between(start, end, calendar) == seconds
    if seconds:
        before = end - timedelta(microseconds=1)
        assert working_seconds_between(start, before, calendar) < seconds


@settings(max_examples=60)
@given(calendars, moments, st.integers(1, 40 * 3600), st.integers(1, 40 * 3600))
def test_adding_in_two_parts_is_adding_at_once(
    calendar: Calendar, start: datetime, first: int, second: int
) -> None:
    halfway = add_working(start, first, calendar)
    assert add_working(halfway, second, calendar) == add_working(start, first + second, calendar)


def test_a_deadline_goes_over_the_weekend() -> None:
    friday = berlin("2026-11-20T16:00")
    assert add_working(friday, 2 * 3600, calendar()) == berlin("2026-11-23T10:00")
    assert add_working(friday, 3600, calendar()) == berlin("2026-11-20T17:00")
    saturday = berlin("2026-11-21T12:00")
    assert add_working(saturday, 60, calendar()) == berlin("2026-11-23T09:01")


def test_what_lies_between_ends_where_it_is_said_to_end() -> None:
    assert working_seconds_between(
        berlin("2026-11-20T16:00"), berlin("2026-11-20T16:30"), calendar()
    ) == (30 * 60)
    assert working_seconds_between(
        berlin("2026-11-20T16:00"), berlin("2026-11-23T09:15"), calendar()
    ) == (75 * 60)


def test_a_holiday_has_no_hours() -> None:
    office = calendar(holidays=[{"day": "2026-12-25", "name": "Christmas Day"}])
    assert add_working(berlin("2026-12-24T16:00"), 2 * 3600, office) == berlin("2026-12-28T10:00")


def test_a_night_that_is_an_hour_short_or_long_counts_as_long_as_it_is() -> None:
    nights = calendar({day: ["22:00-06:00"] for day in WEEKDAYS})
    for evening, hours in (
        ("2026-03-28T22:00", 7),
        ("2026-10-24T22:00", 9),
        ("2026-06-01T22:00", 8),
    ):
        start = berlin(evening)
        morning = (start + timedelta(days=1)).replace(hour=6)
        assert working_seconds_between(start, morning, nights) == hours * 3600


def test_what_runs_over_midnight_ends_where_a_holiday_begins() -> None:
    nights = calendar(
        {"thursday": ["22:00-06:00"]}, holidays=[{"day": "2026-01-02", "name": "Off"}]
    )
    start, end = berlin("2026-01-01T12:00"), berlin("2026-01-03T12:00")
    assert working_seconds_between(start, end, nights) == 2 * 3600


def test_an_end_before_the_beginning_is_nothing() -> None:
    noon = berlin("2026-11-20T12:00")
    assert working_seconds_between(noon, noon - timedelta(days=3), calendar()) == 0
    assert add_working(noon, 0, calendar()) == noon


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"hours": {}}, "hours", "at least one hour"),
        ({"hours": {"monday": []}}, "hours", "at least one hour"),
        ({"hours": {"monday": ["09:00-09:59"]}}, "hours", "at least one hour"),
        ({"hours": {"monday": ["9-17"]}}, "hours.monday.0", "09:00-17:00"),
        ({"hours": {"monday": ["09:00-24:01"]}}, "hours.monday.0", "09:00-17:00"),
        ({"hours": {"monday": ["09:00-09:00"]}}, "hours.monday.0", "no length"),
        ({"hours": {"monday": ["09:00-12:00", "11:00-17:00"]}}, "hours.monday", "Monday overlap"),
        (
            {"hours": {"sunday": ["22:00-06:00"], "monday": ["05:00-09:00"]}},
            "hours.monday",
            "Monday",
        ),
        ({"hours": {"someday": ["09:00-17:00"]}}, "hours.someday.[key]", "monday"),
        ({"timezone": "Europe/Atlantis"}, "timezone", "no time zone"),
        ({"slug": "Office Hours"}, "slug", "pattern"),
        ({"title": " "}, "title", "at least 1"),
        ({"surprise": 1}, "surprise", "not permitted"),
        (
            {"holidays": [{"day": "2026-12-25", "name": "a"}, {"day": "2026-12-25", "name": "b"}]},
            "holidays",
            "stands twice",
        ),
        ({"holidays": [{"day": "2026-13-25", "name": "a"}]}, "holidays.0.day", "date"),
    ],
)
def test_a_calendar_that_does_not_hold_is_refused_at_its_field(
    changes: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(BadCalendar) as refused:
        calendar(**changes)
    (error,) = refused.value.params["errors"]
    assert error["field"] == field
    assert said in error["message"]


def test_a_calendar_is_what_its_document_says() -> None:
    office = calendar(holidays=[{"day": "2026-12-25", "name": "Christmas Day"}])
    assert load(office.document()) == office

"""A working calendar in plain words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from django.utils.translation import gettext

from approvals.calendars import WEEKDAYS, Calendar
from audit import spellings


def week_words(calendar: Calendar) -> list[str]:
    """The week a line each, days with the same hours together: `Monday to Friday 09:00-17:00`."""
    return list(_lines(calendar))


def _lines(calendar: Calendar) -> Iterator[str]:
    by_day = [
        (spellings.weekday(number), calendar.hours.get(day, ()))
        for number, day in enumerate(WEEKDAYS)
    ]
    for spans, group in groupby(by_day, key=lambda each: each[1]):
        days = [day for day, _ in group]
        if spans:
            name = (
                days[0]
                if len(days) == 1
                else gettext("{days} to {days2}").format(days=days[0], days2=days[-1])
            )
            yield f"{name} {', '.join(span.replace('-', '–') for span in spans)}"

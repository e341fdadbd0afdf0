"""The hours in which the shop's people decide."""

from __future__ import annotations

from typing import Any, Final

from approvals.calendar_errors import CalendarTaken
from approvals.services.set_calendar import create_calendar
from audit.actors import Actor

OFFICE_HOURS: Final = "office-hours"

_WORKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday")
CALENDAR: Final[dict[str, Any]] = {
    "slug": OFFICE_HOURS,
    "title": "Office hours",
    "timezone": "Europe/Berlin",
    "hours": {day: ["09:00-17:00"] for day in _WORKDAYS},
    "holidays": [
        {"day": "2026-12-25", "name": "Christmas Day"},
        {"day": "2026-12-26", "name": "Second day of Christmas"},
        {"day": "2027-01-01", "name": "New Year's Day"},
    ],
}


def set_office_hours(*, actor: Actor) -> bool:
    """Set up the shop's calendar where there is none of that name; says whether it is new."""
    try:
        create_calendar(document=CALENDAR, caller=actor)
    except CalendarTaken:
        return False
    return True

"""Refusals about working calendars, each with a code that stays and a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext

from audit.errors import Conflict, Invalid, NotFound


class BadCalendar(Invalid):
    """The working calendar does not hold; `params["errors"]` lists {field, message}."""

    code = "bad_calendar"

    def __init__(self, errors: Sequence[dict[str, str]]) -> None:
        text = "; ".join(f"{e['field']}: {e['message']}" for e in errors)
        super().__init__(
            gettext("This calendar cannot be kept. {text}.").format(text=text),
            params={"errors": list(errors)},
        )


class CalendarUnknown(NotFound):
    """No such working calendar."""

    code = "calendar_unknown"

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext("There is no working calendar {slug}.").format(slug=slug),
            params={"calendar": slug},
        )


class CalendarTaken(Conflict):
    """A new calendar has the name of one there is."""

    code = "calendar_taken"

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext(
                "There is a calendar {slug} already. Change that one, or choose another name."
            ).format(slug=slug),
            params={"calendar": slug},
        )


class CalendarInUse(Conflict):
    """The policy in force, or this installation's settings, count by this calendar."""

    code = "calendar_in_use"

    def __init__(self, slug: str, by: str) -> None:
        super().__init__(
            gettext(
                "{by} counts by the calendar {slug}, so it cannot be deleted. Take it out there first."
            ).format(by=by, slug=slug),
            params={"calendar": slug},
        )

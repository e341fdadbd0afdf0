"""The working calendars that policies name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from django.utils.translation import gettext

from approvals.calendar_errors import CalendarUnknown
from approvals.calendars import Calendar
from approvals.errors import BadPolicy
from approvals.models import WorkingCalendar
from approvals.policies import Policy
from audit.clock import database_now, moment_of
from audit.prepared import CLOCK, Prepared

_dated = Prepared(
    lambda slug: WorkingCalendar.objects.annotate(read_at=CLOCK).filter(slug=slug).order_by(),
    "a-slug",
)


def dated(slug: str) -> tuple[Calendar | None, datetime]:
    """The calendar of that name and the database's time, in one statement; None for no name.

    Raises `CalendarUnknown`: what is counted by a calendar that is gone must not go on by another.
    """
    if not slug:
        return None, database_now()
    row = _dated.one(slug)
    if row is None:
        raise CalendarUnknown(slug)
    return row.calendar, moment_of(row)


def titles_of(slugs: Collection[str]) -> dict[str, str]:
    """What the calendars are called, by name; those that are not there any more are left out."""
    return dict(WorkingCalendar.objects.filter(slug__in=slugs).values_list("slug", "title"))


def calendars_named(policy: Policy) -> Iterator[tuple[str, str]]:
    """The calendars that a policy names, each with the field that names it."""
    if policy.calendar:
        yield "calendar", policy.calendar
    for index, row in enumerate(policy.baseline):
        if row.requirements.calendar:
            yield f"baseline.{index}.requirements.calendar", row.requirements.calendar
    for index, rule in enumerate(policy.rules):
        if rule.requirements is not None and rule.requirements.calendar:
            yield f"rules.{index}.requirements.calendar", rule.requirements.calendar


def require_calendars(policy: Policy) -> None:
    """Every calendar that the policy names must exist; `BadPolicy` names the fields where one does not."""
    named = list(calendars_named(policy))
    if not named:
        return
    known = set(WorkingCalendar.objects.values_list("slug", flat=True))
    errors = [
        {
            "field": field,
            "message": gettext(
                "there is no working calendar {slug}; create it first, or name another"
            ).format(slug=slug),
        }
        for field, slug in named
        if slug not in known
    ]
    if errors:
        raise BadPolicy(errors)

"""When a request is due, and when its people are reminded: in hours of its calendar, or around the clock.

A calendar comes in as it stood when the request was opened; None is every hour there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils.translation import gettext, ngettext

from approvals.calendars import Calendar, add_working, working_seconds_between
from approvals.errors import DeadlinePassed
from approvals.schemas import Requirements
from approvals.vocabulary import NEVER_EXPIRE, Expiry, Kind

if TYPE_CHECKING:
    from approvals.models import ApprovalRequest

HOUR: Final = 3_600


@dataclass(frozen=True)
class Due:
    """`deadline` is None for a request that waits for as long as it takes; then nobody is reminded."""

    deadline: datetime | None
    remind_at: datetime | None


def due(
    kind: Kind, needs: Requirements, start: datetime, hours: float, calendar: Calendar | None
) -> Due:
    """When a request that people have had since `start` is due."""
    if kind in NEVER_EXPIRE and needs.on_expiry != Expiry.ESCALATE:
        return Due(None, None)
    deadline = later(start, hours, calendar)
    return Due(deadline, halfway(start, deadline, calendar) if needs.reminder else None)


def first_mail_due(start: datetime, wait: Due | None = None) -> datetime:
    """When people are mailed about what they have had since `start`, and about what came by then: before they would
    be reminded of it."""
    gathered = start + timedelta(seconds=settings.COUNTERSIGN.mail_gather_seconds)
    before = (wait.remind_at or wait.deadline) if wait else None
    return gathered if before is None else min(gathered, before)


def start_over(request: ApprovalRequest, now: datetime) -> None:
    """Give the people of a request the whole time anew; the caller saves it."""
    needs = request.needs
    hours = needs.review_hours or settings.COUNTERSIGN.review_hours
    wait = due(Kind(request.kind), needs, now, hours, request.counts_by)
    request.review_deadline, request.remind_at = wait.deadline, wait.remind_at
    request.reminded_at = None


def require_in_time(request: ApprovalRequest, now: datetime) -> None:
    """Raise `DeadlinePassed` where the deadline ends the request: it counts also while nobody sweeps. One that
    asks a next group instead stays open."""
    deadline, needs = request.review_deadline, request.needs
    if deadline is None or deadline > now or Kind(request.kind) in NEVER_EXPIRE:
        return
    if needs.on_expiry != Expiry.ESCALATE or request.escalation_level >= len(needs.escalation):
        raise DeadlinePassed(deadline)


def later(moment: datetime, hours: float, calendar: Calendar | None) -> datetime:
    """So many hours later."""
    if calendar is None:
        return moment + timedelta(hours=hours)
    return add_working(moment, hours * HOUR, calendar)


def halfway(start: datetime, end: datetime, calendar: Calendar | None) -> datetime:
    """When half of the time between is over."""
    if calendar is None:
        return start + (end - start) / 2
    return add_working(start, working_seconds_between(start, end, calendar) / 2, calendar)


def working_time_left(
    now: datetime, deadline: datetime, calendar: Calendar, *, short: bool = False
) -> str:
    """In words, rounded down: `14 working hours left`, `1 working minute left`; short: `14 working h`.

    Empty where none of it is working time: people who want to be in time look at the clock then.
    """
    seconds = working_seconds_between(now, deadline, calendar)
    number = int(seconds // HOUR)
    if number == 0:
        number = int(seconds // 60)
        if number == 0:
            return ""
        if short:
            return gettext("{number} working min").format(number=number)
        return ngettext(
            "{number} working minute left", "{number} working minutes left", number
        ).format(number=number)
    if short:
        return gettext("{number} working h").format(number=number)
    return ngettext("{number} working hour left", "{number} working hours left", number).format(
        number=number
    )

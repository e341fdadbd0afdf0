"""Set up a working calendar, or change what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from accounts.callers import Caller, authorised
from approvals.calendar_errors import CalendarTaken, CalendarUnknown
from approvals.calendars import Calendar, load
from approvals.digests import document_digest
from approvals.models import WorkingCalendar
from approvals.services.publish import PUBLISHING_LOCK
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record


def one_at_a_time() -> None:
    """Until this transaction ends nobody else publishes a policy, nor changes what policies name."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PUBLISHING_LOCK])


def create_calendar(*, document: Mapping[str, Any], caller: Caller | Actor) -> Calendar:
    """A new calendar; for who publishes policies. Raises Forbidden, `BadCalendar`, `CalendarTaken`."""
    actor = authorised(caller, "publish_policies", scope="admin")
    calendar = load(document)
    with transaction.atomic():
        one_at_a_time()
        if WorkingCalendar.objects.filter(slug=calendar.slug).exists():
            raise CalendarTaken(calendar.slug)
        _create(calendar, actor)
    return calendar


def change_calendar(*, slug: str, document: Mapping[str, Any], caller: Caller | Actor) -> Calendar:
    """Let the calendar say this from now on; what is open keeps the one it was opened by.

    Its slug stays. Raises Forbidden, `BadCalendar`, `CalendarUnknown`.
    """
    actor = authorised(caller, "publish_policies", scope="admin")
    calendar = load({**document, "slug": slug})
    with transaction.atomic():
        one_at_a_time()
        row = WorkingCalendar.objects.filter(slug=slug).first()
        if row is None:
            raise CalendarUnknown(slug)
        _change(row, calendar, actor)
    return calendar


def put_calendar(
    *, slug: str, document: Mapping[str, Any], caller: Caller | Actor
) -> tuple[Calendar, bool]:
    """Create or change it, whichever it takes; says whether it is new. Raises Forbidden, `BadCalendar`."""
    actor = authorised(caller, "publish_policies", scope="admin")
    calendar = load({**document, "slug": slug})
    with transaction.atomic():
        one_at_a_time()
        row = WorkingCalendar.objects.filter(slug=slug).first()
        if row is None:
            _create(calendar, actor)
        else:
            _change(row, calendar, actor)
    return calendar, row is None


def _create(calendar: Calendar, actor: Actor) -> None:
    document = calendar.document()
    WorkingCalendar.objects.create(slug=calendar.slug, title=calendar.title, document=document)
    record(
        type="calendar.created",
        actor=actor,
        stream="policy",
        facts={"calendar": calendar.slug, "sha256": document_digest(document)},
    )


def _change(row: WorkingCalendar, calendar: Calendar, actor: Actor) -> None:
    document, before = calendar.document(), row.calendar.document()
    if document == before:
        return
    row.title, row.document, row.changed_at = calendar.title, document, database_now()
    row.save(update_fields=["title", "document", "changed_at"])
    record(
        type="calendar.changed",
        actor=actor,
        stream="policy",
        facts={
            "calendar": calendar.slug,
            "sha256": document_digest(document),
            "from_sha256": document_digest(before),
        },
    )

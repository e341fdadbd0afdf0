"""Delete a working calendar that nothing counts by any more."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller, authorised
from approvals.calendar_errors import CalendarInUse, CalendarUnknown
from approvals.digests import document_digest
from approvals.models import WorkingCalendar
from approvals.services import policies
from approvals.services.calendars import calendars_named
from approvals.services.set_calendar import one_at_a_time
from audit.actors import Actor
from audit.recorder import record


def delete_calendar(*, slug: str, caller: Caller | Actor) -> None:
    """For who publishes policies. Open requests keep it: they have it with them.

    Raises Forbidden, `CalendarUnknown`, and `CalendarInUse` where the policy in force or this
    installation's settings name it.
    """
    actor = authorised(caller, "publish_policies", scope="admin")
    with transaction.atomic():
        # No policy that names it is published between the look and the deletion.
        one_at_a_time()
        row = WorkingCalendar.objects.filter(slug=slug).first()
        if row is None:
            raise CalendarUnknown(slug)
        published = policies.current()
        if slug in {name for _, name in calendars_named(published.policy)}:
            raise CalendarInUse(
                slug, gettext("Policy version {version}").format(version=published.version)
            )
        if slug == settings.COUNTERSIGN.calendar:
            raise CalendarInUse(slug, gettext("This installation (COUNTERSIGN_CALENDAR)"))
        sha256 = document_digest(row.document)
        row.delete()
        record(
            type="calendar.deleted",
            actor=actor,
            stream="policy",
            facts={"calendar": slug, "sha256": sha256},
        )

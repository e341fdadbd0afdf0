"""What the scheduler does for insights: has things counted every minute, and lost mails sent."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from django.conf import settings

from audit.clock import database_now
from insights.models import Alert
from insights.queues import count, mail_alert

MAIL_OVERDUE: Final = timedelta(minutes=2)
BATCH: Final = 200
_counted_at: list[float] = []


def sweep() -> None:
    """Call it as often as you like; several processes may."""
    now = time.monotonic()
    if not _counted_at or now - _counted_at[0] >= settings.COUNTERSIGN.insights_seconds:
        _counted_at[:] = [now]
        count()
        _mail_overdue()


def _mail_overdue() -> None:
    now = database_now()
    due = Alert.objects.filter(mail_due_at__lte=now - MAIL_OVERDUE).order_by("mail_due_at")
    found = list(due.values_list("pk", flat=True)[:BATCH])
    Alert.objects.filter(pk__in=found).update(mail_due_at=now)
    for each in found:
        mail_alert(each)

"""One pass: gather what ended, sum the days that it touches, look whether somebody is to be alerted."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Final

from django.db import connection, transaction

from audit.clock import database_now
from insights.models import Figure
from insights.services.gather import OVERLAP, Gathering, progress_or_none
from insights.services.raise_alerts import raise_alerts
from insights.services.roll_up import sum_next_day, sum_next_month
from insights.services.touch import touch
from insights.vocabulary import Measure, Span

#: After that long others have their turn in the queue.
SECONDS: Final = 20.0
_TOUCHED: Final = """
SELECT DISTINCT (created_at AT TIME ZONE 'UTC')::date FROM agents_run WHERE created_at >= %(started)s
 UNION
SELECT DISTINCT (decided_at AT TIME ZONE 'UTC')::date FROM approvals_approvalrequest
 WHERE state <> 'pending' AND decided_at >= %(decided)s
"""


def advance(*, seconds: float = SECONDS) -> bool:
    """True when there is more to do. Nothing is lost by ending it anywhere: each step is a transaction."""
    until = time.monotonic() + seconds
    _touch_new()
    gathering = Gathering()
    steps: tuple[Callable[[], object], ...] = (
        gathering.look_again,
        gathering.step,
        sum_next_day,
        sum_next_month,
    )
    for step in steps:
        # The first pass over a long history is gathered in several turns before it is summed.
        while step():
            if time.monotonic() > until:
                return True
    _caught_up(gathering)
    raise_alerts()
    return False


def _touch_new() -> None:
    """Days on which runs began or requests were closed since the last look."""
    with transaction.atomic():
        progress = progress_or_none()
        if progress is None:
            return
        now = database_now()
        with connection.cursor() as cursor:
            since = {"started": progress.started_until, "decided": progress.decided_until}
            cursor.execute(_TOUCHED, since)
            days = {day for (day,) in cursor.fetchall()}
        touch(days)
        progress.started_until = progress.decided_until = now - OVERLAP
        progress.save(update_fields=["started_until", "decided_until"])


def _before(day: date) -> date | None:
    """The last day before that one which has figures; None when there is none, so that it begins anew."""
    rows = Figure.objects.filter(
        span=Span.DAY.value, measure=Measure.STARTED.value, day__lt=day
    ).order_by("-day")
    return rows.values_list("day", flat=True).first()


def _caught_up(gathering: Gathering) -> None:
    """Note it, and have the next pass sum one older day in turn: what escaped gathering or a late change is found
    by that."""
    with transaction.atomic():
        progress = progress_or_none()
        if progress is None:
            return
        progress.caught_up_at = now = database_now()
        progress.patrolled = _before(progress.patrolled or now.date())
        if progress.patrolled is not None:
            gathering.look_for_uncounted(progress.patrolled)
            touch([progress.patrolled])
        progress.save(update_fields=["caught_up_at", "patrolled"])

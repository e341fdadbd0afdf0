"""Check that every event is in the log or waits for it, and that nothing waits for long."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.db import connection

from audit.fact_schemas import moment_text
from audit.models import LogKey

_NEITHER: Final = """
SELECT event.id FROM audit_event AS event
LEFT JOIN audit_leaf AS leaf ON leaf.event = event.id
LEFT JOIN audit_pending AS pending ON pending.event = event.id
WHERE leaf.event IS NULL AND pending.event IS NULL ORDER BY event.inserted_at, event.id LIMIT 100
"""
_LATE: Final = """
SELECT count(*), min(inserted_at) FROM audit_pending
WHERE inserted_at < clock_timestamp() - %s * interval '1 second'
"""
_TWICE: Final = """
SELECT leaf.index, pending.event FROM audit_pending AS pending
JOIN audit_leaf AS leaf ON leaf.event = pending.event ORDER BY 1 LIMIT 100
"""


def check_waiting() -> Iterator[str]:
    """Sentences about events that the sealer was kept from, or that were put before it twice."""
    with connection.cursor() as cursor:
        cursor.execute(_NEITHER)
        for (event,) in cursor.fetchall():
            yield f"Event {event} is neither in the log nor waits for it: it was taken out of what waits."
        cursor.execute(_TWICE)
        for index, event in cursor.fetchall():
            yield f"Event {event} waits for sealing and is leaf {index} already: it was put back."
        if not LogKey.objects.exists():
            return
        cursor.execute(_LATE, [settings.COUNTERSIGN.sealing_alarm_seconds])
        count, since = cursor.fetchone()
    if count:
        yield (
            f"{count} events wait to be sealed, the first since {moment_text(since)}: sealing stands still "
            "(manage.py audit_log status)."
        )

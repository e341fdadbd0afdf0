"""How far counting has come, for who reads."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection

_NOW: Final = "SELECT clock_timestamp(), (SELECT caught_up_at FROM insights_progress)"


def now_and_counted() -> tuple[datetime, datetime | None]:
    """The database's time, and when all that had ended by then was last counted. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        now, counted_at = cursor.fetchone()
        return now, counted_at

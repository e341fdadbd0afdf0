"""Have days and months summed again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from django.db import connection

from insights.vocabulary import Span

# A mark that is there already is locked: else it could be used up by sums that do not see this change yet.
_TOUCH: Final = """
INSERT INTO insights_touched (span, day) SELECT %s, day FROM unnest(%s::date[]) AS day ORDER BY day
ON CONFLICT (span, day) DO UPDATE SET day = excluded.day
"""


def touch(days: Iterable[date], span: Span = Span.DAY) -> None:
    """Mark the days, or the months that begin with them, in the order in which everybody does, so that nobody
    waits in a ring."""
    with connection.cursor() as cursor:
        cursor.execute(_TOUCH, [span.value, sorted(set(days))])

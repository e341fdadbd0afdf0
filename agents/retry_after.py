"""`Retry-After` (RFC 9110, 10.2.3): seconds, or a date. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


def retry_after_seconds(value: str | None, date: str | None) -> float | None:
    """How many seconds to wait; None where nothing usable stands there, or the time is over.

    `date` is what the same answer says the time is: the two clocks need not agree.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text) or None
    then = _moment(text)
    if then is None:
        return None
    seconds = (then - (_moment((date or "").strip()) or datetime.now(UTC))).total_seconds()
    return seconds if seconds > 0 else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

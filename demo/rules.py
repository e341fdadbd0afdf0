"""The shop's rules for refunds. Pure."""

from __future__ import annotations

from datetime import date
from typing import Final

WINDOW_DAYS: Final = 90

RULES: Final = (
    f"Money goes back for {WINDOW_DAYS} days after delivery, and at any time before it.",
    "No more goes back than was paid for the order, less what has already gone back.",
    "Money goes back the way it was paid, never to another account.",
    "The reason is noted; a customer who changed their mind needs no better one.",
)


def too_old(delivered_on: date | None, today: date) -> bool:
    """Whether the window for refunds has closed."""
    return delivered_on is not None and (today - delivered_on).days > WINDOW_DAYS

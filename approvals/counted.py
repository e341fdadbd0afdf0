"""Figures of what people decide, and of what their pages are told."""

from __future__ import annotations

from typing import Final

from audit.counts import Counted, Measured, Standing

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0

DECISION_SECONDS: Final = Measured(
    "countersign_decision_seconds",
    "From the opening of a request to a verdict on it, waiting included.",
    ("risk", "verdict"),
    (5.0, 15.0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY, 3 * DAY, 7 * DAY),
)
REVIEW_SECONDS: Final = Measured(
    "countersign_review_seconds",
    "From the moment that the deciding person opened a request to their verdict.",
    ("risk", "verdict"),
    (1.0, 3.0, 10.0, 30.0, MINUTE, 3 * MINUTE, 10 * MINUTE, HOUR),
)
SOCKETS: Final = Standing("countersign_sockets", "Open sockets of inboxes, of all web processes.")
HINTS_DELIVERED: Final = Counted(
    "countersign_hints_delivered_total", "Hints put into the mailboxes of sockets."
)
HINTS_DROPPED: Final = Counted(
    "countersign_hints_dropped_total",
    "Times that a socket was so far behind, or its process so long without Redis, that it was told to fetch anew.",
)

ALL: Final = (DECISION_SECONDS, REVIEW_SECONDS, SOCKETS, HINTS_DELIVERED, HINTS_DROPPED)

"""What the specimens of the style guide are filled with. Pure."""

from __future__ import annotations

from typing import Any, Final

from approvals.line_diff import Line
from approvals.score_words import ScoreLine

FACTS: Final = (
    {"label": "Customer", "value": "Acme GmbH"},
    {"label": "Paid", "value": "€4,200.00"},
    {"label": "Note", "value": "Turned a\u202eround\u200b"},
    {"label": "Invoice", "value": None},
    {"label": "Rules", "lines": ["Within 90 days.", "No more than was paid for the order."]},
)
ROWS: Final = (
    {
        "title": "Customer 118",
        "what": "changed",
        "cells": [
            {"column": "City", "before": "Munchen", "after": "München"},
            {"column": "Name", "before": "Ada Example", "after": "Ada Example"},
            {"column": "Phone", "before": "", "after": ""},
        ],
    },
    {
        "title": "Customer 119",
        "what": "added",
        "cells": [{"column": "City", "before": None, "after": "Bonn"}],
    },
    {
        "title": "Customer 120",
        "what": "deleted",
        "cells": [{"column": "City", "before": "Ulm", "after": None}],
    },
)
COLUMNS: Final = ["Order", "Amount", "Note"]
RECORDS: Final[list[list[Any]]] = [["10291", "4200.00", None], ["10292", "12.50", "gift\u200b"]]
LINES: Final = (
    Line("…", ""),
    Line(" ", "Answer in the language of the customer."),
    Line("-", "Refund at once."),
    Line("+", "Refund what the order says, and no more."),
)
SCORES: Final = (
    ScoreLine("The agent's own word", "61 %", "", True, ()),
    ScoreLine("Agreement", "40 %", "2 of 5 replies propose it", False, ()),
    ScoreLine(
        "Verifier", "30 %", "", False, ("The order was refunded before.", "Nobody asked for it.")
    ),
)
LINKS: Final = ({"label": "The order", "url": "https://shop.example/orders/10291"},)
RISKS: Final = ("low", "medium", "high", "critical")
STATES: Final = (
    *("pending", "waiting", "approved", "succeeded", "rejected", "failed", "in_doubt"),
    *("cancelled", "expired"),
)
PILLS: Final = {
    "connecting": "Connecting",
    "live": "Live",
    "reconnecting": "Reconnecting, showing 14:03",
    "offline": "Offline, showing 14:03",
    "signed-out": "Signed out",
}

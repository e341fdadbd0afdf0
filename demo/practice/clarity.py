"""How sure the practice model is: a clear ticket scores 0.93, and each doubt takes something away. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from demo.practice.reading import Ticket, Wish

CLEAR = 93
LEAST = 30


class Source(StrEnum):
    """Where the proposed amount comes from."""

    NAMED = "named"
    WHOLE_ORDER = "whole_order"
    SINGLE_ITEM = "single_item"
    GUESSED = "guessed"


@dataclass(frozen=True)
class Clarity:
    """A confidence from 0 to 1, and the doubts that lowered it as sentences."""

    confidence: float
    doubts: tuple[str, ...]


def judge_clarity(ticket: Ticket, source: Source) -> Clarity:
    """Hundredths off for every doubt; what is left, but never less than 0.30."""
    doubts: list[tuple[int, str]] = []
    if ticket.hedges:
        more = min(len(ticket.hedges) - 1, 3)
        said = ", ".join(f"“{word}”" for word in ticket.hedges)
        doubts.append((25 + 5 * more, f"The wording is unsure: {said}."))
    if len(ticket.amounts) > 1:
        named = ", ".join(euro(amount) for amount in ticket.amounts)
        doubts.append((25, f"It names several amounts: {named}."))
    if source is Source.NAMED and not ticket.currency_named:
        doubts.append((15, "It names no currency with the amount."))
    if source is Source.WHOLE_ORDER:
        doubts.append((5, "It names no amount; I took what was paid for the whole order."))
    if source is Source.SINGLE_ITEM:
        doubts.append((20, "It names no amount; I took the price of one item."))
    if source is Source.GUESSED:
        doubts.append((30, "It names no amount at all; I took what was paid for the whole order."))
    if ticket.wish is Wish.UNSAID:
        doubts.append((18, "It does not say plainly that money is wanted back."))
    if not ticket.reason_named:
        doubts.append((6, "It gives no reason."))
    score = max(CLEAR - sum(cost for cost, _ in doubts), LEAST)
    return Clarity(confidence=score / 100, doubts=tuple(sentence for _, sentence in doubts))


def euro(amount: Decimal) -> str:
    """`€1,234.50`."""
    return f"€{amount:,.2f}"

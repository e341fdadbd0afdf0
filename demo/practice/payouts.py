"""The practice model as a reader of invoices: the fields that the text names, and how sure it is. Pure.

It reads by plain patterns and follows no instruction in the text. What speaks against its reading lowers its
confidence, each with a sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from demo.practice.clarity import euro
from demo.practice.conversation import Conversation
from demo.practice.moves import Move, abstain
from demo.practice.reading import find_amounts, hedges_in

ANSWER: Final = "answer"
TOOLS: Final = frozenset({ANSWER})
"""The tool by which a decision point is known."""
ORDER: Final = re.compile(r"\bPO[\s#-]*(\d{4,8})\b", re.IGNORECASE)
ACCOUNT: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
REFERENCE: Final = re.compile(
    r"\b(?:invoice\s+(?:no\.?|number)|number(?:\s+is)?(?:\s+probably)?)[\s:]*([A-Z0-9][A-Z0-9/-]*\d)",
    re.IGNORECASE,
)
TOTAL: Final = re.compile(r"\btotal\b[^\n]*", re.IGNORECASE)
CLEAR, LEAST = 95, 30
SAID: Final = "A reviewer says of the last answer:"
"""After this the question repeats what a person said."""


def payout_move(talk: Conversation, offered: Collection[str], sample: int | None = None) -> Move:
    """The answer at supplier-payout's one decision point."""
    text = _content(talk)
    if not text:
        return abstain("The practice model reads invoices, and here is none.")
    fields, doubts = read_invoice(text)
    named = _named(talk.task.partition(SAID)[2])
    fields |= named
    sure = max(CLEAR - sum(cost for cost, _ in doubts), LEAST) / 100
    said = " ".join(sentence for _, sentence in doubts) or "Everything stands in its place."
    if named:
        said = f"A reviewer named {', '.join(map(str, named.values()))}. {said}"
    return Move(ANSWER, fields, confidence=sure, rationale=said)


def read_invoice(text: str) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """The fields, and the doubts about them, each with the hundredths of confidence that it costs."""
    orders = _once(f"PO-{number}" for number in ORDER.findall(text))
    accounts = _once(found.replace(" ", "") for found in ACCOUNT.findall(text))
    references = _once(REFERENCE.findall(text))
    amounts = _once(amount for amount, _ in find_amounts(ACCOUNT.sub(" ", text))[0])
    total = _total(text)
    amount = total or (amounts[-1] if amounts else None)
    fields: dict[str, Any] = {
        "order": orders[0] if orders else "",
        "reference": references[0] if references else "",
        "amount": None if amount is None else f"{amount:.2f}",
        "account": accounts[-1] if accounts else "",
    }
    return fields, _doubts(text, orders, accounts, amounts, total)


def _named(words: str) -> dict[str, Any]:
    """The one amount and the one order in what a reviewer said, who knows better than the text."""
    amounts = _once(amount for amount, _ in find_amounts(words)[0])
    orders = _once(f"PO-{number}" for number in ORDER.findall(words))
    found: dict[str, Any] = {}
    if len(amounts) == 1:
        found["amount"] = f"{amounts[0]:.2f}"
    if len(orders) == 1:
        found["order"] = orders[0]
    return found


def _doubts(
    text: str,
    orders: list[str],
    accounts: list[str],
    amounts: list[Decimal],
    total: Decimal | None,
) -> list[tuple[int, str]]:
    doubts: list[tuple[int, str]] = []
    hedges = hedges_in(text)
    if hedges:
        said = ", ".join(f"“{word}”" for word in hedges)
        doubts.append((25, f"The wording is unsure: {said}."))
    if len(amounts) > 1:
        named = ", ".join(euro(amount) for amount in amounts)
        doubts.append((20, f"It names several amounts: {named}."))
    if total is None:
        doubts.append((10, "It names no total."))
    if len(accounts) > 1:
        doubts.append((20, f"It names several accounts: {', '.join(accounts)}."))
    if len(orders) != 1:
        doubts.append((10, "It names no one purchase order."))
    return doubts


def _total(text: str) -> Decimal | None:
    """What stands behind the word total, where that stands at the beginning of a line."""
    for line in text.splitlines():
        found = TOTAL.match(line.strip())
        if found:
            amounts, _ = find_amounts(found.group())
            return amounts[0][0] if amounts else None
    return None


def _content(talk: Conversation) -> str:
    """The text that the question is about."""
    for note in talk.notes:
        try:
            given = json.loads(note)
        except ValueError:
            continue
        if isinstance(given, Mapping) and isinstance(given.get("content"), str):
            return str(given["content"])
    return ""


def _once(found: Any) -> list[Any]:
    return list(dict.fromkeys(found))

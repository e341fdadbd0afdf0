"""The practice model as a verifier: what speaks against a proposed call, by what it is told and nothing else. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from demo.practice.clarity import Source, euro, judge_clarity
from demo.practice.conversation import Call
from demo.practice.facts import Facts, read_facts
from demo.practice.reading import Ticket, Wish, read_ticket
from demo.practice.refund_desk import LOOK_UP, MAIL, REFUND, RULES

SCHEMA_NAME = "review_of_call"
CLEAR = 0.97
PER_OBJECTION = 0.35
LEAST = 0.05


@dataclass(frozen=True)
class Review:
    """A score from 0 to 1 and the objections as sentences."""

    score: float
    objections: tuple[str, ...]

    def text(self) -> str:
        """The reply, as the schema asks for it."""
        return json.dumps(
            {"objections": list(self.objections), "score": self.score}, ensure_ascii=False
        )


def review(asked: str) -> Review:
    """Review the call in a verifier's request. What it cannot read it does not vouch for."""
    try:
        about = json.loads(asked)
        call, task = about["proposed_call"], str(about["task"])
        arguments = dict(call["arguments"])
        evidence = [_call(place, entry) for place, entry in enumerate(about["evidence"])]
    except (ValueError, KeyError, TypeError):
        return Review(0.0, ("I was not told enough to review this call.",))
    ticket = read_ticket(task)
    match call.get("tool"):
        case tool if tool == REFUND:
            return _of_refund(ticket, arguments, evidence)
        case tool if tool == MAIL:
            unasked = () if ticket.wants_mail else ("The ticket does not ask for a mail.",)
            return _scored(CLEAR, unasked)
        case _:
            return Review(CLEAR, ())


def _call(place: int, entry: Mapping[str, Any]) -> Call:
    answer = {"status": "done", "result": entry.get("result")}
    return Call(f"e{place}", str(entry["tool"]), entry.get("arguments") or {}, answer)


def _of_refund(ticket: Ticket, arguments: Mapping[str, Any], seen: Sequence[Call]) -> Review:
    order, amount = str(arguments.get("order")), _money(arguments.get("amount"))
    facts = read_facts(
        order,
        [call for call in seen if call.name == LOOK_UP],
        [call for call in seen if call.name == RULES],
    )
    objections = []
    if ticket.orders != (order,):
        objections.append(f"The ticket does not name {order} as the one order it is about.")
    if ticket.wish is Wish.NO_REFUND:
        objections.append("The ticket says that no money is wanted back.")
    if facts is None:
        objections.append("The order was not looked up, so nothing bears the amount out.")
    elif amount > facts.refundable:
        objections.append(f"Only {euro(facts.refundable)} can still be refunded.")
    if facts is not None and facts.too_old:
        objections.append("The time for refunds is over.")
    if ticket.amount is not None and amount != ticket.amount:
        objections.append(f"The ticket asks for {euro(ticket.amount)}, not for {euro(amount)}.")
    clarity = judge_clarity(ticket, _source(ticket, amount, facts))
    return _scored(clarity.confidence + 0.04, objections, clarity.doubts)


def _source(ticket: Ticket, amount: Decimal, facts: Facts | None) -> Source:
    if ticket.amount is not None:
        return Source.NAMED
    if ticket.single_item and facts is not None and amount == facts.unit_price:
        return Source.SINGLE_ITEM
    return Source.WHOLE_ORDER if ticket.whole else Source.GUESSED


def _scored(best: float, objections: Sequence[str], doubts: Sequence[str] = ()) -> Review:
    score = max(LEAST, best - PER_OBJECTION * len(objections))
    return Review(round(score, 2), (*objections, *doubts))


def _money(value: Any) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() else Decimal(0)

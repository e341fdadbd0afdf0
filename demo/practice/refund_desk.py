"""The practice model at the refund desk: which call comes next. A pure function of the conversation.

Look the order up, read the rules, propose the refund, write the mail if one is wanted, answer. It asks when it
finds no order, and abstains when the answer does not help.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from demo.practice.clarity import Clarity, Source, euro, judge_clarity
from demo.practice.conversation import Call, Conversation
from demo.practice.facts import Facts, read_facts
from demo.practice.moves import ASK, FINAL, Move, abstain
from demo.practice.reading import (
    Ticket,
    Wish,
    amount_in_reply,
    find_orders,
    is_refusal,
    read_ticket,
)

LOOK_UP, RULES, REFUND, MAIL = "look_up_order", "read_refund_rules", "issue_refund", "send_email"
TOOLS = frozenset({LOOK_UP, REFUND})
"""The tools by which the desk is known."""
SENT_BACK, LAPSED, FAILED = "sent_back", "lapsed", "failed"

CLEAR_ENOUGH, MUDDLED = 0.8, 0.6
MOST_QUESTIONS = 3
MOST_PROPOSALS = 4
MOST_ANSWERS = 3


@dataclass(frozen=True)
class Desk:
    """The conversation with the names of the tools that are offered.

    `sample`: which further answer to the same conversation is asked for.
    """

    talk: Conversation
    offered: Collection[str] = field(default_factory=frozenset)
    sample: int | None = None

    @cached_property
    def ticket(self) -> Ticket:
        return read_ticket(self.talk.task)

    @cached_property
    def questions(self) -> tuple[Call, ...]:
        return self.talk.named(ASK)

    def last_done(self, name: str) -> Call | None:
        """The newest call of a tool that was carried out."""
        return next((call for call in reversed(self.talk.named(name)) if call.done), None)


def refund_move(talk: Conversation, offered: Collection[str], sample: int | None = None) -> Move:
    """The call that the script makes now. Further samples differ where the ticket leaves doubts."""
    desk = Desk(talk, offered, sample)
    if len(talk.named(FINAL)) >= MOST_ANSWERS:
        return abstain("My answer was turned down several times and I have no better one.")
    orders = _orders(desk)
    if len(orders) != 1:
        return _ask_for_order(desk, orders)
    return _look_up(desk, orders[0]) or _read_rules(desk) or _settle(desk, orders[0])


def _orders(desk: Desk) -> tuple[str, ...]:
    """What the newest answer that names an order says; else what the ticket says."""
    for question in reversed(desk.questions):
        orders, _ = find_orders(question.words)
        if orders:
            return orders
    return desk.ticket.orders


def _ask_for_order(desk: Desk, orders: tuple[str, ...]) -> Move:
    if desk.questions:
        return abstain("I could not find out which order this ticket is about.")
    if orders:
        return _ask(desk, f"The ticket names {' and '.join(orders)}. Which one order is it about?")
    return _ask(
        desk, "The ticket names no order. What is the order number? It looks like ORD-10042."
    )


def _look_up(desk: Desk, order: str) -> Move | None:
    calls = [call for call in desk.talk.named(LOOK_UP) if call.arguments.get("order") == order]
    if not calls:
        return Move(LOOK_UP, {"order": order}, rationale=f"The ticket is about {order}.")
    if any(call.done for call in calls):
        return None
    if len(desk.questions) >= MOST_QUESTIONS - 1:
        return abstain(f"I could not find the order {order}, and nobody could name the right one.")
    return _ask(desk, f"I could not find an order {order}. What is the right order number?")


def _read_rules(desk: Desk) -> Move | None:
    if RULES not in desk.offered or desk.talk.named(RULES):
        return None
    return Move(RULES, {}, rationale="Before money goes back I read what the shop's rules allow.")


def _settle(desk: Desk, order: str) -> Move:
    facts = read_facts(order, desk.talk.named(LOOK_UP), desk.talk.named(RULES))
    if facts is None:
        return abstain(f"What I was told about {order} is not complete enough to act on.")
    attempts = [call for call in desk.talk.named(REFUND) if call.arguments.get("order") == order]
    if not attempts:
        return _first_proposal(desk, facts)
    last = attempts[-1]
    if last.done:
        return _after_refund(desk, facts, last)
    if len(attempts) < MOST_PROPOSALS:
        if last.status == SENT_BACK:
            return _next_proposal(desk, facts, last)
        if last.status == LAPSED:
            return _first_proposal(desk, facts)
    sorry = f"We are sorry: we did not refund order {order}."
    # Why a person said no is for the house; what went wrong with the payment is for the customer too.
    return _answer(
        desk, facts, "declined", f"{sorry} {last.words}" if last.status == FAILED else sorry
    )


def _first_proposal(desk: Desk, facts: Facts) -> Move:
    ticket = desk.ticket
    asks_nothing = ticket.wish is Wish.UNSAID and not ticket.reason_named and not ticket.amounts
    if ticket.wish is Wish.NO_REFUND or asks_nothing:
        return _answer(desk, facts, "answered", facts.sentence())
    if facts.refundable <= 0:
        return _answer(
            desk, facts, "declined", f"Everything paid for {facts.order} has already been refunded."
        )
    if facts.too_old:
        return _answer(
            desk,
            facts,
            "declined",
            f"We are sorry: order {facts.order} was delivered {facts.days_since_delivery} days ago, and "
            f"refunds are possible within {facts.window_days} days.",
        )
    amount, source = _amount(desk, facts)
    if amount > facts.refundable:
        return _answer(
            desk,
            facts,
            "declined",
            f"We are sorry: {euro(amount)} is more than the {euro(facts.refundable)} that can still be "
            f"refunded for order {facts.order}.",
        )
    clarity = judge_clarity(ticket, source)
    if _hesitates(desk, clarity):
        return _ask(desk, f"Is {euro(amount)} for order {facts.order} what the customer wants?")
    why = f"{facts.customer} asks for {euro(amount)} back on {facts.order}. {facts.sentence()}"
    return _propose(
        facts, amount, ticket.reason, clarity.confidence, " ".join([why, *clarity.doubts])
    )


def _hesitates(desk: Desk, clarity: Clarity) -> bool:
    """Whether this further answer asks instead of acting: every one to a muddled ticket, every other one to
    an unclear ticket."""
    if desk.sample is None or clarity.confidence >= CLEAR_ENOUGH:
        return False
    return clarity.confidence < MUDDLED or desk.sample % 2 == 0


def _amount(desk: Desk, facts: Facts) -> tuple[Decimal, Source]:
    if desk.ticket.amount is not None:
        return desk.ticket.amount, Source.NAMED
    for question in reversed(desk.questions):
        _, rest = find_orders(question.words)
        answered = read_ticket(rest).amount
        if answered is not None:
            return answered, Source.NAMED
    if desk.ticket.single_item and facts.unit_price is not None:
        return facts.unit_price, Source.SINGLE_ITEM
    return facts.refundable, Source.WHOLE_ORDER if desk.ticket.whole else Source.GUESSED


def _next_proposal(desk: Desk, facts: Facts, last: Call) -> Move:
    """A person sent the proposal back: follow what they said, or ask which amount they mean."""
    later = desk.talk.calls[desk.talk.calls.index(last) + 1 :]
    answers = [call for call in later if call.name == ASK]
    said = answers[-1].words if answers else last.words
    amount = amount_in_reply(said)
    if is_refusal(said) or (amount is None and answers):
        return _answer(desk, facts, "declined", f"We did not refund order {facts.order}.")
    if amount is None:
        return _ask(
            desk, f"My refund for {facts.order} was sent back: {said} Which amount is right?"
        )
    if amount > facts.refundable:
        return _answer(
            desk,
            facts,
            "declined",
            f"Only {euro(facts.refundable)} can still be refunded for {facts.order}.",
        )
    return _propose(
        facts, amount, desk.ticket.reason, 0.9, f"A reviewer sent my proposal back: {said}"
    )


def _after_refund(desk: Desk, facts: Facts, refund: Call) -> Move:
    paid = Decimal(str(refund.result.get("amount", refund.arguments.get("amount", "0"))))
    done = f"{euro(paid)} for order {facts.order} is on its way back to {facts.customer}."
    if desk.ticket.wants_mail and MAIL in desk.offered and not desk.talk.named(MAIL):
        body = f"Hello,\n\n{done} It takes two to three working days.\n\nYour refund desk"
        return Move(
            MAIL,
            {"order": facts.order, "subject": f"Your refund for order {facts.order}", "body": body},
            0.97,
            "The customer asks for a confirmation by e-mail.",
        )
    return _answer(desk, facts, "refunded", done, amount=f"{paid:.2f}")


def _propose(facts: Facts, amount: Decimal, reason: str, confidence: float, rationale: str) -> Move:
    arguments = {"order": facts.order, "amount": f"{amount:.2f}", "reason": reason}
    return Move(REFUND, arguments, confidence, rationale)


def _answer(desk: Desk, facts: Facts, outcome: str, message: str, **more: str) -> Move:
    """The final answer; it relies on the newest call of each tool that was carried out."""
    calls = [desk.last_done(name) for name in (LOOK_UP, RULES, REFUND, MAIL)]
    return Move(
        FINAL,
        {
            "outcome": outcome,
            "order": facts.order,
            "message": message,
            **more,
            "relies_on": [call.id for call in calls if call is not None],
        },
    )


def _ask(desk: Desk, question: str) -> Move:
    if ASK not in desk.offered or len(desk.questions) >= MOST_QUESTIONS:
        return abstain("Something is missing that I cannot find out by myself.")
    return Move(ASK, {"question": question, "answer_type": "text"})

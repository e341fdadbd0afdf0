"""What a reviewer is shown of a refund or a mail: a sentence, the numbers behind it, and what speaks against it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from agents.authoring import Fact, Message, Preview
from demo.ledger import LedgerState
from demo.models import Order
from demo.rules import WINDOW_DAYS, too_old
from demo.tickets import Mail, Refund


def euro(amount: Decimal) -> str:
    """`€1,234.50`."""
    return f"€{amount:,.2f}"


def of_refund(refund: Refund, order: Order | None, *, today: date) -> Preview:
    """The preview of a refund; an order that does not exist is a warning, not an error."""
    if order is None:
        return Preview(
            title=f"Refund {euro(refund.amount)} for an order that does not exist",
            subject=f"Order {refund.order}",
            warnings=(f"The shop has no order {refund.order}; the call will fail.",),
        )
    refunded = order.given_back()
    left = order.payment.amount - refunded - refund.amount
    return Preview(
        title=f"Refund {euro(refund.amount)} to {order.customer.name}",
        summary=(
            f"{euro(refund.amount)} of the {euro(order.payment.amount)} paid for order {order.number} goes back "
            "the way it was paid. This cannot be taken back."
        ),
        subject=f"Order {order.number}",
        facts=(
            Fact(label="Customer", value=order.customer.name),
            Fact(
                label="Bought",
                value=f"{order.quantity:,} × {order.product} at {euro(order.unit_price)}",
            ),
            Fact(label="Paid", value=euro(order.payment.amount)),
            Fact(label="Already refunded", value=euro(refunded)),
            Fact(label="Left after this refund", value=euro(max(left, Decimal(0)))),
            Fact(label="Delivered", value=_delivered(order, today)),
        ),
        warnings=tuple(_doubts(refund, order, left, today)),
    )


def _delivered(order: Order, today: date) -> str:
    if order.delivered_on is None:
        return "Not yet"
    days = (today - order.delivered_on).days
    on = order.delivered_on
    return f"{on.day} {on:%b %Y}, {days} {'day' if days == 1 else 'days'} ago"


def _doubts(refund: Refund, order: Order, left: Decimal, today: date) -> list[str]:
    doubts = []
    if left < 0:
        doubts.append("This is more than can still be refunded for the order; the call will fail.")
    if too_old(order.delivered_on, today):
        doubts.append(f"Delivered more than {WINDOW_DAYS} days ago: the rules allow no refund.")
    twin = (
        order.refunds.filter(amount=refund.amount)
        .exclude(state=LedgerState.REFUSED)
        .order_by("-created_at")
        .first()
    )
    if twin is not None:
        doubts.append(
            f"{euro(refund.amount)} has already been refunded for this order on {twin.created_at:%Y-%m-%d}."
        )
    return doubts


def of_mail(mail: Mail, order: Order | None) -> Preview:
    """The preview of a mail; who gets it comes from the customer's record."""
    if order is None:
        return Preview(
            title="Write to the customer of an order that does not exist",
            subject=f"Order {mail.order}",
            warnings=(f"The shop has no order {mail.order}; the call will fail.",),
        )
    return Preview(
        title=f"Write to {order.customer.name}: {mail.subject}",
        summary=f"An e-mail goes to {order.customer.email}. It cannot be taken back.",
        subject=f"Order {order.number}",
        message=Message(to=(order.customer.email,), subject=mail.subject, text=mail.body),
    )

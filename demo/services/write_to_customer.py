"""Send a mail to the customer of an order."""

from __future__ import annotations

from demo.errors import UnknownOrder
from demo.models import Order, SentMail
from demo.services.send_once import send_once


def write_to_customer(*, number: str, subject: str, body: str, key: str) -> SentMail:
    """The mail to the address on the customer's record, sent now or before with this key.

    Raises UnknownOrder, and what the mail server raises.
    """
    order = Order.objects.select_related("customer").by_number(number).first()
    if order is None:
        raise UnknownOrder(number)
    to = order.customer.email
    return send_once(
        SentMail(idempotency_key=key, order=order, recipient=to, subject=subject, body=body)
    )

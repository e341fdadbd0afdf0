"""Send a mail to the customer of an order."""

from __future__ import annotations

from django.core.mail import EmailMessage

from demo.errors import UnknownOrder
from demo.models import Order, SentMail


def write_to_customer(*, number: str, subject: str, body: str, key: str) -> SentMail:
    """Hand the mail to the mail server, then note that it was sent; a key that is noted sends nothing.

    A crash in between leaves a mail that nobody noted: a missing note is no proof that nothing was sent.
    Raises UnknownOrder, and what the mail server raises.
    """
    order = Order.objects.select_related("customer").by_number(number).first()
    if order is None:
        raise UnknownOrder(number)
    noted = SentMail.objects.filter(idempotency_key=key).first()
    if noted is not None:
        return noted
    EmailMessage(subject=subject, body=body, to=[order.customer.email]).send()
    return SentMail.objects.create(
        idempotency_key=key,
        order=order,
        recipient=order.customer.email,
        subject=subject,
        body=body,
    )

"""Send a mail, and note that it was sent."""

from __future__ import annotations

from typing import TypeVar

from django.core.mail import EmailMessage

from demo.ledger import MailRow

Row = TypeVar("Row", bound=MailRow)


def send_once(row: Row) -> Row:
    """Hand the mail to the mail server, then note that it was sent; a key that is noted sends nothing.

    A crash in between leaves a mail that nobody noted: a missing note is no proof that nothing was sent.
    Raises what the mail server raises.
    """
    noted = type(row)._default_manager.filter(idempotency_key=row.idempotency_key).first()
    if noted is not None:
        return noted
    EmailMessage(subject=row.subject, body=row.body, to=[row.recipient]).send()
    row.save()
    return row

"""Send a mail to the supplier of an invoice."""

from __future__ import annotations

from django.core.mail import EmailMessage

from demo.errors import UnknownInvoice
from demo.payables import Invoice, SupplierMail


def write_to_supplier(*, number: str, subject: str, body: str, key: str) -> SupplierMail:
    """Hand the mail to the mail server, then note that it was sent; a key that is noted sends nothing.

    A crash in between leaves a mail that nobody noted: a missing note is no proof that nothing was sent.
    Raises UnknownInvoice, and what the mail server raises.
    """
    invoice = Invoice.objects.numbered(number)
    if invoice is None:
        raise UnknownInvoice(number)
    noted = SupplierMail.objects.filter(idempotency_key=key).first()
    if noted is not None:
        return noted
    EmailMessage(subject=subject, body=body, to=[invoice.supplier.email]).send()
    return SupplierMail.objects.create(
        idempotency_key=key,
        invoice=invoice,
        recipient=invoice.supplier.email,
        subject=subject,
        body=body,
    )

"""Send a mail to the supplier of an invoice."""

from __future__ import annotations

from demo.errors import UnknownInvoice
from demo.payables import Invoice, SupplierMail
from demo.services.send_once import send_once


def write_to_supplier(*, number: str, subject: str, body: str, key: str) -> SupplierMail:
    """The mail to the address on the supplier's record, sent now or before with this key.

    Raises UnknownInvoice, and what the mail server raises.
    """
    invoice = Invoice.objects.numbered(number)
    if invoice is None:
        raise UnknownInvoice(number)
    to = invoice.supplier.email
    return send_once(
        SupplierMail(idempotency_key=key, invoice=invoice, recipient=to, subject=subject, body=body)
    )

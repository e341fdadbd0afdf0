"""What supplier-payout takes, reads and gives: shapes with exact euro, and numbers in one form. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from demo.tickets import Euro, Shape

INVOICE = re.compile(r"^(?:INV)?[\s#-]*(\d{4,8})$", re.IGNORECASE)
ORDER = re.compile(r"^(?:PO)?[\s#-]*(\d{4,8})$", re.IGNORECASE)


def to_invoice_number(text: str) -> str:
    """`inv 3001`, `#3001` and `3001` are all `INV-3001`."""
    match = INVOICE.match(text.strip())
    if match is None:
        raise ValueError("an invoice number looks like INV-3001")
    return f"INV-{match.group(1)}"


def to_purchase_number(text: str) -> str:
    """`po 7001`, `#7001` and `7001` are all `PO-7001`; nothing stays nothing."""
    if not text.strip():
        return ""
    match = ORDER.match(text.strip())
    if match is None:
        raise ValueError("a purchase order looks like PO-7001; leave it empty where none is named")
    return f"PO-{match.group(1)}"


def to_account(text: str) -> str:
    """An IBAN without spaces, in capital letters."""
    return "".join(text.split()).upper()


InvoiceNumber = Annotated[str, Field(max_length=20), AfterValidator(to_invoice_number)]
PurchaseNumber = Annotated[str, Field(max_length=20), AfterValidator(to_purchase_number)]
Account = Annotated[str, Field(max_length=42), AfterValidator(to_account)]
Reference = Annotated[str, Field(max_length=60)]


class InvoiceToPay(Shape):
    """Which invoice is to be paid. A plain text is taken for its number."""

    invoice: InvoiceNumber = Field(
        title="Invoice", description="Our own number of the invoice, such as INV-3001"
    )

    @model_validator(mode="before")
    @classmethod
    def _take_plain_text(cls, value: Any) -> Any:
        return {"invoice": value} if isinstance(value, str) else value


class InvoiceFields(Shape):
    """What stands in the text of an invoice; what does not stand there stays empty."""

    order: PurchaseNumber = Field(
        default="", description="Our purchase order that it names, such as PO-7001; else empty"
    )
    reference: Reference = Field(
        default="", description="The supplier's own number of the invoice; else empty"
    )
    amount: Euro | None = Field(
        default=None, gt=0, description="What is to be paid in euro; null where it is not said"
    )
    account: Account = Field(
        default="", description="The bank account (IBAN) that it asks to pay to; else empty"
    )


class Earlier(Shape):
    """A payment that was made to the supplier before."""

    invoice: str
    reference: str
    amount: Euro
    paid_on: date


class InvoiceSheet(Shape):
    """An invoice with the record of its supplier. `text` was written outside."""

    invoice: str
    supplier: str
    account_on_file: str
    received_on: date
    text: str
    earlier: list[Earlier]
    as_of: datetime


class Limits(Shape):
    """What may still be paid to the supplier of an invoice, in euro. `paid` is about the invoice itself."""

    paid: bool
    limit: Euro
    paid_this_month: Decimal
    left: Decimal


class Payout(Shape):
    """A payment of an invoice. It goes to `account`, which has to be the supplier's on file."""

    invoice: InvoiceNumber = Field(description="Our own number of the invoice")
    order: PurchaseNumber = Field(description="The purchase order that it is for")
    amount: Euro = Field(gt=0, description="Euro to pay")
    account: Account = Field(description="The supplier's account on file (IBAN)")
    account_on_invoice: Account = Field(
        default="", description="The account that the invoice names, to compare; not paid to"
    )
    reference: Reference = Field(default="", description="The supplier's number of the invoice")


class PayoutReceipt(Shape):
    """A payment that was made."""

    reference: str
    invoice: str
    amount: Euro
    account: str


class PayoutStanding(Shape):
    """What provider and ledger say of an invoice's payment."""

    invoice: str
    paid: bool
    amount: Euro | None
    reference: str


class Notice(Shape):
    """A mail to the supplier of an invoice; it goes to the address on the supplier's record."""

    invoice: InvoiceNumber
    subject: str = Field(min_length=1, max_length=150)
    body: str = Field(min_length=1, max_length=5_000)


class NoticeSent(Shape):
    """A mail that was handed over."""

    recipient: str
    subject: str


class PayoutOutcome(Shape):
    """The end of it; `amount` is what was paid."""

    outcome: Literal["paid", "not_paid"]
    invoice: str
    amount: Euro | None = None
    summary: str = Field(min_length=1, max_length=2_000)

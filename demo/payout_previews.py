"""What a reviewer is shown of a payment to a supplier: the numbers, and where they differ from order and record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agents.authoring import Fact, Preview
from audit import spellings
from demo.ledger import LedgerState
from demo.payables import Invoice, PurchaseOrder, SupplierPayment
from demo.payouts import Notice, Payout
from demo.previews import euro


def of_payout(payout: Payout, invoice: Invoice | None, *, now: datetime) -> Preview:
    """The preview of a payment; an invoice or order that does not exist is a warning, not an error."""
    if invoice is None:
        return Preview(
            title=f"Pay {euro(payout.amount)} for an invoice that does not exist",
            subject=f"Invoice {payout.invoice}",
            warnings=(f"There is no invoice {payout.invoice}; the call will fail.",),
        )
    supplier = invoice.supplier
    order = PurchaseOrder.objects.filter(number=payout.order, supplier=supplier).first()
    return Preview(
        title=f"Pay {euro(payout.amount)} to {supplier.name}",
        summary=(
            f"{euro(payout.amount)} goes to {supplier.account}, the account on file. It cannot be taken back."
        ),
        subject=f"Invoice {invoice.number}",
        facts=(
            Fact(label="Supplier", value=supplier.name),
            Fact(label="Account on file", value=supplier.account),
            Fact(label="Account on the invoice", value=_account(payout, supplier.account)),
            Fact(label="Order", value=_order(order)),
            Fact(label="Difference to the order", value=_difference(payout, order)),
            Fact(label="Supplier's number", value=payout.reference or "None"),
            Fact(label="Received", value=spellings.day(invoice.received_on)),
        ),
        warnings=tuple(_doubts(payout, invoice, order, now)),
    )


def _account(payout: Payout, on_file: str) -> str:
    if not payout.account_on_invoice:
        return "None"
    same = payout.account_on_invoice == on_file
    return "The same" if same else payout.account_on_invoice


def _order(order: PurchaseOrder | None) -> str:
    if order is None:
        return "None of this supplier"
    return f"{order.number}, {order.what}, {euro(order.total)}"


def _difference(payout: Payout, order: PurchaseOrder | None) -> str:
    if order is None:
        return "Unknown"
    more = payout.amount + order.paid() - order.total
    if more == 0:
        return "None"
    return f"{euro(abs(more))} {'more' if more > 0 else 'less'}"


def _doubts(
    payout: Payout, invoice: Invoice, order: PurchaseOrder | None, now: datetime
) -> Iterator[str]:
    on_file = invoice.supplier.account
    if payout.account != on_file:
        yield "The account is not the one on file; the call will fail."
    if payout.account_on_invoice and payout.account_on_invoice != on_file:
        yield (
            "The invoice names another account than the one on file. The money goes to the one on file; ask the "
            "supplier by a way that you know."
        )
    if order is None:
        yield "The supplier has no such order; the call will fail."
    elif payout.amount + order.paid() > order.total:
        yield f"This is {_difference(payout, order)} than was ordered."
    if invoice.payments.exclude(state=LedgerState.REFUSED).exists():
        yield "This invoice has been paid already; the call will fail."
    left = invoice.supplier.left_in_month(now)
    if payout.amount > left:
        yield f"Only {euro(left)} is left of this month's limit for the supplier; the call will fail."
    twin = _twin(payout, invoice)
    if twin is not None:
        yield (
            f"{euro(twin.amount)} was paid to {invoice.supplier.name} on {spellings.day(twin.created_at)} "
            f"for {twin.invoice.number}: the same amount."
        )


def _twin(payout: Payout, invoice: Invoice) -> SupplierPayment | None:
    """A payment of the same amount to the same supplier."""
    return (
        SupplierPayment.objects.filter(invoice__supplier=invoice.supplier, amount=payout.amount)
        .exclude(invoice=invoice)
        .exclude(state=LedgerState.REFUSED)
        .select_related("invoice")
        .order_by("-created_at")
        .first()
    )


def of_notice(notice: Notice, invoice: Invoice | None) -> Preview:
    """The preview of a mail; who gets it comes from the supplier's record."""
    if invoice is None:
        return Preview(
            title="Write to the supplier of an invoice that does not exist",
            subject=f"Invoice {notice.invoice}",
            warnings=(f"There is no invoice {notice.invoice}; the call will fail.",),
        )
    return Preview(
        title=f"Write to {invoice.supplier.name}: {notice.subject}",
        summary=f"An e-mail goes to {invoice.supplier.email}. It cannot be taken back.",
        subject=f"Invoice {invoice.number}",
        facts=(
            Fact(label="To", value=invoice.supplier.email),
            Fact(label="Subject", value=notice.subject),
            Fact(label="Text", value=notice.body),
        ),
    )

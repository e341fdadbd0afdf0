"""The tools of supplier-payout: reading invoices and limits, paying, looking a payment up, telling the supplier."""

from __future__ import annotations

from agents.authoring import (
    Effect,
    EffectClass,
    Preview,
    Risk,
    Terminal,
    ToolContext,
    Trust,
    tool,
)
from demo import payout_previews
from demo.agents.translating import provider, told
from demo.ledger import LedgerState
from demo.payables import Invoice, SupplierMail, SupplierPayment
from demo.payouts import (
    Earlier,
    InvoiceSheet,
    InvoiceToPay,
    Limits,
    Notice,
    NoticeSent,
    Payout,
    PayoutReceipt,
    PayoutStanding,
)
from demo.services.pay_invoice import pay_invoice
from demo.services.write_to_supplier import write_to_supplier

EARLIER_SHOWN = 20


@tool(risk=Risk.LOW, identity={"invoice"})
def find_invoice(ctx: ToolContext, which: InvoiceToPay) -> InvoiceSheet:
    """Read an invoice as it was received, with its supplier's record and what was paid to it before."""
    invoice = _found(which.invoice)
    paid = SupplierPayment.objects.filter(
        invoice__supplier=invoice.supplier, state=LedgerState.PAID
    ).select_related("invoice")
    return InvoiceSheet(
        invoice=invoice.number,
        supplier=invoice.supplier.name,
        account_on_file=invoice.supplier.account,
        received_on=invoice.received_on,
        text=invoice.text,
        earlier=[
            Earlier(
                invoice=each.invoice.number,
                reference=each.reference,
                amount=each.amount,
                paid_on=each.created_at.date(),
            )
            for each in paid.order_by("-created_at")[:EARLIER_SHOWN]
        ],
        as_of=ctx.now,
    )


@tool(risk=Risk.LOW, trust=Trust.TRUSTED, identity={"invoice"})
def check_limits(ctx: ToolContext, which: InvoiceToPay) -> Limits:
    """Read whether an invoice was paid, and what may still be paid to its supplier this month."""
    invoice = _found(which.invoice)
    supplier = invoice.supplier
    return Limits(
        paid=invoice.payments.exclude(state=LedgerState.REFUSED).exists(),
        limit=supplier.monthly_limit,
        paid_this_month=supplier.paid_in_month(ctx.now),
        left=supplier.left_in_month(ctx.now),
    )


@tool(
    risk=Risk.HIGH,
    effects={Effect.MONEY},
    reversible=False,
    effect_class=EffectClass.IDEMPOTENT,
    trust=Trust.TRUSTED,
    identity={"invoice"},
    cosmetic={"reference"},
)
def pay_supplier(ctx: ToolContext, payout: Payout) -> PayoutReceipt:
    """Pay a supplier's invoice to the account on the supplier's record."""
    with told():
        row = pay_invoice(
            number=payout.invoice,
            order=payout.order,
            amount=payout.amount,
            account=payout.account,
            reference=payout.reference,
            key=ctx.idempotency_key,
            provider=provider(),
        )
    return PayoutReceipt(
        reference=row.provider_reference,
        invoice=payout.invoice,
        amount=row.amount,
        account=row.account,
    )


@pay_supplier.preview
def preview_payout(ctx: ToolContext, payout: Payout) -> Preview:
    return payout_previews.of_payout(payout, Invoice.objects.numbered(payout.invoice), now=ctx.now)


@pay_supplier.state_token
def payout_state(ctx: ToolContext, payout: Payout) -> str:
    """What the reviewer saw: the account on file and what was paid. This call's own row is no change of the world."""
    invoice = Invoice.objects.numbered(payout.invoice)
    if invoice is None:
        return "no such invoice"
    others = invoice.payments.exclude(state=LedgerState.REFUSED)
    paid = others.exclude(idempotency_key=ctx.idempotency_key).exists()
    return f"{invoice.supplier.account}, {'paid' if paid else 'not paid'}"


@pay_supplier.locks
def payout_locks(payout: Payout) -> list[str]:
    return [f"invoice:{payout.invoice}", f"purchase:{payout.order}"]


@pay_supplier.verify
def check_payout(ctx: ToolContext, payout: Payout, receipt: PayoutReceipt) -> bool:
    """Both the provider and our ledger know it, with the same amount and account."""
    paid = provider().find_payout(key=ctx.idempotency_key)
    row = SupplierPayment.objects.filter(provider_reference=receipt.reference).first()
    return (
        paid is not None
        and row is not None
        and paid.reference == row.provider_reference
        and (paid.amount, paid.account) == (row.amount, row.account)
        and paid.amount == receipt.amount
    )


@tool(risk=Risk.LOW, trust=Trust.TRUSTED, identity={"invoice"})
def look_up_payout(ctx: ToolContext, which: InvoiceToPay) -> PayoutStanding:
    """Read whether the payment provider and our ledger agree that an invoice was paid."""
    row = _found(which.invoice).payments.filter(state=LedgerState.PAID).first()
    made = provider().find_payout(key=row.idempotency_key) if row is not None else None
    if row is None or made is None:
        return PayoutStanding(invoice=which.invoice, paid=False, amount=None, reference="")
    return PayoutStanding(
        invoice=which.invoice,
        paid=made.reference == row.provider_reference,
        amount=made.amount,
        reference=made.reference,
    )


@tool(
    risk=Risk.HIGH,
    effects={Effect.EXTERNAL_COMMUNICATION},
    reversible=False,
    effect_class=EffectClass.QUERYABLE,
    trust=Trust.TRUSTED,
    identity={"invoice"},
)
def notify_supplier(ctx: ToolContext, notice: Notice) -> NoticeSent:
    """Write to the supplier of an invoice, at the address on the supplier's record."""
    with told():
        sent = write_to_supplier(
            number=notice.invoice,
            subject=notice.subject,
            body=notice.body,
            key=ctx.idempotency_key,
        )
    return NoticeSent(recipient=sent.recipient, subject=sent.subject)


@notify_supplier.preview
def preview_notice(ctx: ToolContext, notice: Notice) -> Preview:
    return payout_previews.of_notice(notice, Invoice.objects.numbered(notice.invoice))


@notify_supplier.lookup
def find_notice(ctx: ToolContext, notice: Notice) -> NoticeSent | None:
    """A note proves that the mail went out; no note proves nothing."""
    sent = SupplierMail.objects.filter(idempotency_key=ctx.idempotency_key).first()
    return NoticeSent(recipient=sent.recipient, subject=sent.subject) if sent else None


def _found(number: str) -> Invoice:
    invoice = Invoice.objects.numbered(number)
    if invoice is None:
        raise Terminal(f"invoice: there is no invoice {number}. Our numbers look like INV-3001.")
    return invoice

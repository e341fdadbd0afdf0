"""Pay a supplier's invoice, once per invoice and key."""

from __future__ import annotations

from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from demo.errors import (
    AlreadyPaid,
    OtherAccount,
    OutcomeUnknown,
    ProviderBusy,
    ProviderRefused,
    UnknownInvoice,
    UnknownPurchase,
)
from demo.payables import Invoice, PayoutState, PurchaseOrder, SupplierPayment
from demo.payments import PaymentProvider


def pay_invoice(
    *,
    number: str,
    order: str,
    amount: Decimal,
    account: str,
    reference: str,
    key: str,
    provider: PaymentProvider,
) -> SupplierPayment:
    """Reserve the payment in the ledger, have it paid out, settle the ledger row.

    Money goes to the account on the supplier's record and to no other: one that is named and is another is
    refused. With a key that was used before, it goes on where that call stopped.

    Raises UnknownInvoice, UnknownPurchase, OtherAccount, AlreadyPaid and ProviderRefused (nothing was paid),
    ProviderBusy (nothing was paid yet), OutcomeUnknown (ask again with the key).
    """
    payment = _reserve(number, order, amount, account, reference, key)
    if payment.state == PayoutState.PAID:
        return payment
    try:
        paid = provider.pay_out(
            key=key, account=payment.account, amount=payment.amount, reference=number
        )
    except ProviderRefused:
        _settle(payment, PayoutState.REFUSED)
        raise
    except ProviderBusy as busy:
        if not _release(payment):
            raise OutcomeUnknown("An earlier call may have paid; ask again.") from busy
        raise
    return _settle(payment, PayoutState.PAID, reference=paid.reference)


def _reserve(
    number: str, order: str, amount: Decimal, account: str, reference: str, key: str
) -> SupplierPayment:
    """The ledger row of the key, counting one more call that is about to be sent."""
    # durable: a reservation that a surrounding transaction could still take back would reserve nothing.
    with transaction.atomic(durable=True):
        locked = Invoice.objects.select_for_update(of=("self",)).select_related("supplier")
        invoice = locked.filter(number=number).first()
        if invoice is None:
            raise UnknownInvoice(number)
        payment = SupplierPayment.objects.filter(idempotency_key=key).first()
        if payment is not None and payment.state == PayoutState.REFUSED:
            raise ProviderRefused("The payment provider refused this payment before.")
        if payment is None:
            payment = _new(invoice, order, amount, account, reference, key)
        if payment.state == PayoutState.RESERVED:
            payment.unanswered += 1
            payment.save()
        return payment


def _new(
    invoice: Invoice, order: str, amount: Decimal, account: str, reference: str, key: str
) -> SupplierPayment:
    if account != invoice.supplier.account:
        raise OtherAccount(invoice.supplier.name)
    purchase = PurchaseOrder.objects.filter(number=order, supplier=invoice.supplier).first()
    if purchase is None:
        raise UnknownPurchase(order, invoice.supplier.name)
    if invoice.payments.exclude(state=PayoutState.REFUSED).exists():
        raise AlreadyPaid(invoice.number)
    payment = SupplierPayment(
        invoice=invoice,
        order=purchase,
        amount=amount,
        account=account,
        reference=reference,
        idempotency_key=key,
    )
    try:
        with transaction.atomic():
            payment.save()
    except IntegrityError as taken:
        raise AlreadyPaid(invoice.number) from taken
    return payment


def _release(payment: SupplierPayment) -> bool:
    """Take the reservation back after a call that did nothing; False while an earlier one is unanswered."""
    with transaction.atomic():
        Invoice.objects.select_for_update().get(pk=payment.invoice_id)
        row = SupplierPayment.objects.get(pk=payment.pk)
        if row.unanswered > 1:
            row.unanswered -= 1
            row.save(update_fields=["unanswered"])
            return False
        row.delete()
        return True


def _settle(
    payment: SupplierPayment, state: PayoutState, *, reference: str = ""
) -> SupplierPayment:
    SupplierPayment.objects.filter(pk=payment.pk, state=PayoutState.RESERVED).update(
        state=state, provider_reference=reference, settled_at=Now(), unanswered=0
    )
    payment.refresh_from_db(fields=["state", "provider_reference", "settled_at", "unanswered"])
    return payment

"""Pay a supplier's invoice, once per invoice and key."""

from __future__ import annotations

from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone

from demo.errors import (
    AlreadyPaid,
    OtherAccount,
    OverLimit,
    UnknownInvoice,
    UnknownPurchase,
)
from demo.ledger import LedgerState
from demo.payables import Invoice, PurchaseOrder, Supplier, SupplierPayment
from demo.payments import PaymentProvider
from demo.services.move_money import count_call, move_money


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
    refused. In a month no more goes there than the supplier's limit. With a key that was used before, it goes
    on where that call stopped.

    Raises UnknownInvoice, UnknownPurchase, OtherAccount, AlreadyPaid, OverLimit and ProviderRefused (nothing
    was paid), ProviderBusy (nothing was paid yet), OutcomeUnknown (ask again with the key).
    """
    payment = _reserve(number, order, amount, account, reference, key)
    return move_money(
        payment,
        lambda: provider.pay_out(
            key=key, account=payment.account, amount=payment.amount, reference=number
        ),
    )


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
        if payment is None:
            payment = _new(invoice, order, amount, account, reference, key)
        count_call(payment)
        return payment


def _new(
    invoice: Invoice, order: str, amount: Decimal, account: str, reference: str, key: str
) -> SupplierPayment:
    if account != invoice.supplier.account:
        raise OtherAccount(invoice.supplier.name)
    purchase = PurchaseOrder.objects.filter(number=order, supplier=invoice.supplier).first()
    if purchase is None:
        raise UnknownPurchase(order, invoice.supplier.name)
    if invoice.payments.exclude(state=LedgerState.REFUSED).exists():
        raise AlreadyPaid(invoice.number)
    # Held until the row stands: two payments at once are no way around the limit.
    supplier = Supplier.objects.select_for_update().get(pk=invoice.supplier_id)
    left = supplier.left_in_month(timezone.now())
    if amount > left:
        raise OverLimit(supplier.name, left)
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

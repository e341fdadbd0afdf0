"""Pay money back for an order, once per key."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.db.models.functions import Now

from demo.errors import OutcomeUnknown, ProviderBusy, ProviderRefused, TooMuch, UnknownOrder
from demo.models import Order, Refund, RefundState
from demo.payments import PaymentProvider


def refund_order(
    *, number: str, amount: Decimal, reason: str, key: str, provider: PaymentProvider
) -> Refund:
    """Reserve the amount in the ledger, have it paid out, settle the ledger row.

    The reservation is committed before the provider is called, so that two refunds at once never give back
    more than was paid. With a key that was used before, it goes on where that call stopped.

    Raises UnknownOrder, TooMuch and ProviderRefused (nothing was paid), ProviderBusy (nothing was paid
    yet), OutcomeUnknown (ask again with the key).
    """
    refund = _reserve(number, amount, reason, key)
    if refund.state == RefundState.PAID:
        return refund
    try:
        paid = provider.pay_back(
            key=key, payment=refund.order.payment.reference, amount=refund.amount
        )
    except ProviderRefused:
        _settle(refund, RefundState.REFUSED)
        raise
    except ProviderBusy as busy:
        if not _release(refund):
            raise OutcomeUnknown("An earlier call may have paid; ask again.") from busy
        raise
    return _settle(refund, RefundState.PAID, reference=paid.reference)


def _reserve(number: str, amount: Decimal, reason: str, key: str) -> Refund:
    """The ledger row of the key, counting one more call that is about to be sent."""
    # durable: a reservation that a surrounding transaction could still take back would reserve nothing.
    with transaction.atomic(durable=True):
        order = Order.objects.select_for_update(of=("self",)).by_number(number).first()
        if order is None:
            raise UnknownOrder(number)
        refund = Refund.objects.filter(idempotency_key=key).first()
        if refund is None:
            refundable = order.payment.amount - order.given_back()
            if amount > refundable:
                raise TooMuch(number, amount, refundable)
            refund = Refund(order=order, amount=amount, reason=reason, idempotency_key=key)
        elif refund.state == RefundState.REFUSED:
            raise ProviderRefused("The payment provider refused this refund before.")
        elif refund.state == RefundState.PAID:
            return refund
        refund.order = order
        refund.unanswered += 1
        refund.save()
        return refund


def _release(refund: Refund) -> bool:
    """Take the reservation back after a call that did nothing; False while an earlier one is unanswered."""
    with transaction.atomic():
        Order.objects.select_for_update().get(pk=refund.order_id)
        row = Refund.objects.get(pk=refund.pk)
        if row.unanswered > 1:
            row.unanswered -= 1
            row.save(update_fields=["unanswered"])
            return False
        row.delete()
        return True


def _settle(refund: Refund, state: RefundState, *, reference: str = "") -> Refund:
    Refund.objects.filter(pk=refund.pk, state=RefundState.RESERVED).update(
        state=state, provider_reference=reference, settled_at=Now(), unanswered=0
    )
    refund.refresh_from_db(fields=["state", "provider_reference", "settled_at", "unanswered"])
    return refund

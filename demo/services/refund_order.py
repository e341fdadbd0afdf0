"""Pay money back for an order, once per key."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from demo.errors import TooMuch, UnknownOrder
from demo.models import Order, Refund
from demo.payments import PaymentProvider
from demo.services.move_money import count_call, move_money


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
    payment = refund.order.payment.reference
    return move_money(
        refund, lambda: provider.pay_back(key=key, payment=payment, amount=refund.amount)
    )


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
        count_call(refund)
        return refund

"""Paying back: once per key, never more than was paid, whatever happens to the provider's answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection

from demo.errors import OutcomeUnknown, ProviderBusy, ProviderRefused, TooMuch, UnknownOrder
from demo.ledger import LedgerState
from demo.models import Order, Refund
from demo.payments import PaymentProvider
from demo.services.refund_order import refund_order
from demo.services.stock_shop import stock_shop
from tests.demo.running_provider import Process

AMOUNT = Decimal("420.00")


def pay(
    payments: PaymentProvider, key: str, amount: Decimal = AMOUNT, number: str = "ORD-10001"
) -> Refund:
    return refund_order(number=number, amount=amount, reason="Broken.", key=key, provider=payments)


def refunds_made(provider: Process) -> int:
    return sum(call["refund"] is not None for call in provider.calls())


def test_a_refund_is_paid_and_stands_in_the_ledger(
    tablets: Order, payments: PaymentProvider, provider: Process
) -> None:
    refund = pay(payments, "key-1")
    assert refund.state == LedgerState.PAID
    assert provider.calls()[0]["refund"]["id"] == refund.provider_reference
    assert provider.calls()[0]["body"]["payment"] == "pay_10001"
    assert tablets.given_back() == AMOUNT


def test_the_same_key_again_pays_nothing_more(
    tablets: Order, payments: PaymentProvider, provider: Process
) -> None:
    assert pay(payments, "key-1") == pay(payments, "key-1")
    assert len(provider.calls()) == 1
    assert tablets.given_back() == AMOUNT


@pytest.mark.parametrize("mode", ["drop", "fail"])
def test_a_lost_answer_is_settled_by_asking_again(
    tablets: Order, payments: PaymentProvider, provider: Process, mode: str
) -> None:
    provider.ask("POST", "/knobs", {"mode": mode})
    with pytest.raises(OutcomeUnknown):
        pay(payments, "key-1")
    assert Refund.objects.get(idempotency_key="key-1").state == LedgerState.RESERVED
    assert tablets.given_back() == AMOUNT
    assert pay(payments, "key-1").state == LedgerState.PAID
    assert refunds_made(provider) == 1


def test_a_busy_provider_leaves_no_reservation_behind(
    tablets: Order, payments: PaymentProvider, provider: Process
) -> None:
    provider.ask("POST", "/knobs", {"mode": "unavailable"})
    with pytest.raises(ProviderBusy):
        pay(payments, "key-1")
    assert tablets.given_back() == 0
    assert pay(payments, "key-1").state == LedgerState.PAID
    assert refunds_made(provider) == 1


def test_a_busy_provider_is_no_proof_that_an_earlier_call_did_nothing(
    tablets: Order, payments: PaymentProvider, provider: Process
) -> None:
    provider.ask("POST", "/knobs", {"mode": "drop"})
    with pytest.raises(OutcomeUnknown):
        pay(payments, "key-1")
    provider.ask("POST", "/knobs", {"mode": "unavailable", "times": 2})
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            pay(payments, "key-1")
    assert tablets.given_back() == AMOUNT
    assert pay(payments, "key-1").state == LedgerState.PAID
    assert refunds_made(provider) == 1


def test_a_refusal_of_the_provider_frees_the_reservation(
    tablets: Order, payments: PaymentProvider, provider: Process
) -> None:
    provider.refund("key-1", amount="1.00")
    with pytest.raises(ProviderRefused):
        pay(payments, "key-1")
    assert Refund.objects.get(idempotency_key="key-1").state == LedgerState.REFUSED
    assert tablets.given_back() == 0
    asked = len(provider.calls())
    with pytest.raises(ProviderRefused):
        pay(payments, "key-1")
    assert len(provider.calls()) == asked


def test_more_than_was_paid_is_refused_before_the_provider_is_asked(
    tablets: Order, payments: PaymentProvider, provider: Process
) -> None:
    pay(payments, "key-1", tablets.total - AMOUNT)
    with pytest.raises(TooMuch, match="420"):
        pay(payments, "key-2", AMOUNT + Decimal("0.01"))
    assert pay(payments, "key-3", AMOUNT).state == LedgerState.PAID
    assert refunds_made(provider) == 2
    assert not Refund.objects.filter(idempotency_key="key-2").exists()


def test_an_order_that_does_not_exist_is_refused(
    shop: None, payments: PaymentProvider, provider: Process
) -> None:
    with pytest.raises(UnknownOrder, match="ORD-99999"):
        pay(payments, "key-1", number="ORD-99999")
    assert provider.calls() == []


@pytest.mark.django_db(transaction=True)
def test_many_refunds_at_once_never_give_back_more_than_was_paid(
    payments: PaymentProvider, provider: Process
) -> None:
    stock_shop(today=datetime.now(UTC).date())
    order = Order.objects.with_everything().get(number="ORD-10004")
    half = order.payment.amount / 2

    def attempt(key: str) -> bool:
        try:
            return pay(payments, key, half, order.number).state == LedgerState.PAID
        except TooMuch:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        paid = list(pool.map(attempt, [f"key-{number}" for number in range(6)]))
    assert sum(paid) == 2
    assert refunds_made(provider) == 2
    assert order.given_back() == order.total

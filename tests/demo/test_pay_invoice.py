"""Paying an invoice: once per invoice and key, to the account on file, whatever happens to the provider's answer."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from demo.errors import (
    AlreadyPaid,
    OtherAccount,
    OutcomeUnknown,
    OverLimit,
    ProviderBusy,
    UnknownInvoice,
    UnknownPurchase,
)
from demo.ledger import LedgerState
from demo.payables import Invoice, PurchaseOrder, Supplier, SupplierPayment
from demo.payments import PaymentProvider
from demo.services.pay_invoice import pay_invoice
from demo.services.stock_payables import stock_payables
from tests.demo.running_provider import Process

ACCOUNT = "DE02120300000000202051"


@pytest.fixture
def invoices(db: None) -> None:
    stock_payables(today=datetime.now(UTC).date())


def pay(payments: PaymentProvider, key: str = "key-1", **changes: str) -> SupplierPayment:
    given = {
        "number": "INV-3001",
        "order": "PO-7001",
        "account": ACCOUNT,
        "reference": "L-20618",
        **changes,
    }
    return pay_invoice(amount=Decimal("1280.00"), key=key, provider=payments, **given)


def made(provider: Process) -> int:
    return sum(call["payout"] is not None for call in provider.calls())


def test_a_payment_is_made_and_stands_in_the_ledger(
    invoices: None, payments: PaymentProvider, provider: Process
) -> None:
    row = pay(payments)
    assert (row.state, row.account) == (LedgerState.PAID, ACCOUNT)
    assert provider.calls()[0]["payout"]["id"] == row.provider_reference
    assert PurchaseOrder.objects.get(number="PO-7001").paid() == Decimal("1280.00")


def test_the_same_key_again_pays_nothing_more(
    invoices: None, payments: PaymentProvider, provider: Process
) -> None:
    assert pay(payments) == pay(payments)
    assert len(provider.calls()) == 1


def test_another_key_pays_the_invoice_not_again(
    invoices: None, payments: PaymentProvider, provider: Process
) -> None:
    pay(payments)
    with pytest.raises(AlreadyPaid):
        pay(payments, "key-2")
    assert made(provider) == 1


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"number": "INV-9999"}, UnknownInvoice),
        ({"order": "PO-9999"}, UnknownPurchase),
        ({"order": "PO-7002"}, UnknownPurchase),
        ({"account": "LT121000011101001000"}, OtherAccount),
    ],
)
def test_what_the_record_does_not_bear_out_is_refused_before_the_provider_hears_of_it(
    invoices: None,
    payments: PaymentProvider,
    provider: Process,
    changes: dict[str, str],
    refusal: type[Exception],
) -> None:
    with pytest.raises(refusal):
        pay(payments, **changes)
    assert provider.calls() == []
    assert not SupplierPayment.objects.filter(idempotency_key="key-1").exists()


@pytest.mark.parametrize("mode", ["drop", "fail"])
def test_a_lost_answer_is_settled_by_asking_again(
    invoices: None, payments: PaymentProvider, provider: Process, mode: str
) -> None:
    provider.ask("POST", "/knobs", {"mode": mode})
    with pytest.raises(OutcomeUnknown):
        pay(payments)
    assert SupplierPayment.objects.get(idempotency_key="key-1").state == LedgerState.RESERVED
    assert pay(payments).state == LedgerState.PAID
    assert made(provider) == 1


def test_a_provider_without_time_leaves_no_trace(
    invoices: None, payments: PaymentProvider, provider: Process
) -> None:
    provider.ask("POST", "/knobs", {"mode": "unavailable"})
    with pytest.raises(ProviderBusy):
        pay(payments)
    assert not SupplierPayment.objects.filter(idempotency_key="key-1").exists()
    assert pay(payments).state == LedgerState.PAID


def test_after_a_lost_answer_a_busy_provider_says_nothing_about_the_first_call(
    invoices: None, payments: PaymentProvider, provider: Process
) -> None:
    provider.ask("POST", "/knobs", {"mode": "drop"})
    with pytest.raises(OutcomeUnknown):
        pay(payments)
    provider.ask("POST", "/knobs", {"mode": "unavailable"})
    with pytest.raises(OutcomeUnknown):
        pay(payments)
    assert pay(payments).state == LedgerState.PAID
    assert made(provider) == 1


def test_the_tables_are_filled_once_and_the_same_every_time(invoices: None) -> None:
    texts = list(Invoice.objects.order_by("number").values_list("text", flat=True))
    assert len(texts) == 49
    assert not stock_payables(today=datetime.now(UTC).date())
    assert list(Invoice.objects.order_by("number").values_list("text", flat=True)) == texts


def test_no_more_is_paid_in_a_month_than_the_suppliers_limit(
    invoices: None, payments: PaymentProvider, provider: Process
) -> None:
    """The workflow looks before it proposes; by the time that it pays, others may have been paid."""
    Supplier.objects.filter(name="Papierhaus Lindner").update(monthly_limit=Decimal("1500.00"))
    pay(payments)
    with pytest.raises(OverLimit, match=r"220\.00 is left"):
        pay(payments, "key-2", number="INV-3006", order="PO-7006", reference="L-20655")
    assert made(provider) == 1
    assert not SupplierPayment.objects.filter(idempotency_key="key-2").exists()

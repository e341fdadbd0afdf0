"""Fill the shop with suppliers, purchase orders, invoices and an earlier payment; the same ones every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db import transaction

from demo.invoice_texts import FURTHER, GOODS, PAID_BEFORE, SENT, VENDORS, Sent, plain_invoice
from demo.ledger import LedgerState
from demo.payables import Invoice, PurchaseOrder, Supplier, SupplierPayment

SEED = 20_261_121
FIRST_INVOICE, FIRST_ORDER = 3_001, 7_001
EARLIER_DAYS = 40


def stock_payables(*, today: date) -> bool:
    """Fill empty tables; False when they hold suppliers already, which stay as they are."""
    with transaction.atomic():
        if Supplier.objects.exists():
            return False
        suppliers = {
            vendor.name: Supplier.objects.create(
                name=vendor.name,
                email=f"billing@{vendor.name.lower().replace(' ', '-')}.example",
                account=vendor.account,
                monthly_limit=vendor.monthly_limit,
            )
            for vendor in VENDORS
        }
        for place, sent in enumerate([*SENT, *further()]):
            supplier = suppliers[sent.vendor.name]
            PurchaseOrder.objects.create(
                number=f"PO-{FIRST_ORDER + place}",
                supplier=supplier,
                what=sent.ordered,
                total=sent.order_total,
                placed_on=today - timedelta(days=20 + place % 9),
            )
            Invoice.objects.create(
                number=f"INV-{FIRST_INVOICE + place}",
                supplier=supplier,
                received_on=today - timedelta(days=place % 6),
                text=sent.text,
            )
        _pay_before(suppliers, today)
        return True


def further() -> Iterator[Sent]:
    """Plain invoices from a generator with a fixed seed, so that there is always another one to pay."""
    draw = random.Random(SEED)  # noqa: S311 - goods, not secrets
    for place in range(FURTHER):
        vendor, what, price = draw.choice(GOODS)
        total = draw.randint(1, 6) * Decimal(price)
        order = f"PO-{FIRST_ORDER + len(SENT) + place}"
        text = plain_invoice(vendor, order, f"X-{5_000 + place}", what, f"{total:,.2f}")
        yield Sent(vendor, what, total, text)


def _pay_before(suppliers: dict[str, Supplier], today: date) -> None:
    vendor, reference, amount = PAID_BEFORE
    first = today - timedelta(days=EARLIER_DAYS)
    settled = datetime.combine(first, time(12), tzinfo=UTC)
    copy = Invoice.objects.create(
        number=f"INV-{FIRST_INVOICE - 1}",
        supplier=suppliers[vendor.name],
        received_on=first - timedelta(days=3),
        text=plain_invoice(vendor, "PO-7005", reference, "80 kg of coffee beans", f"{amount:,.2f}"),
    )
    SupplierPayment.objects.create(
        invoice=copy,
        amount=amount,
        account=vendor.account,
        reference=reference,
        idempotency_key=f"earlier-{copy.number}",
        state=LedgerState.PAID,
        provider_reference=f"po_earlier_{copy.number}",
        created_at=settled,
        settled_at=settled,
    )

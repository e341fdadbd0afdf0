"""Fill the shop with customers, orders, payments and earlier refunds; the same ones every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.db import transaction

from demo.catalogue import FIRST_PARTS, GOODS, NOTES, SECOND_PARTS, SHOWCASES
from demo.ledger import LedgerState
from demo.models import Customer, Order, OrderStatus, Payment, Refund

SEED = 20_261_120
FIRST_NUMBER = 10_001
ORDERS = 300


@dataclass(frozen=True)
class Draft:
    """An order to be, with its days counted back from the day on which the shop is filled."""

    customer: str
    product: str
    quantity: int
    unit_price: Decimal
    status: OrderStatus
    placed_days_ago: int
    delivered_days_ago: int | None
    note: str
    refunded_items: int

    @property
    def total(self) -> Decimal:
        return self.quantity * self.unit_price


def stock_shop(*, today: date) -> bool:
    """Fill an empty shop; False when it holds orders already, which stay as they are."""
    with transaction.atomic():
        if Order.objects.exists():
            return False
        names = customer_names()
        Customer.objects.bulk_create(Customer(name=name, email=address_of(name)) for name in names)
        customers = {customer.name: customer for customer in Customer.objects.all()}
        drafts = list(draft_orders())
        orders = Order.objects.bulk_create(
            _order(draft, f"ORD-{number}", customers[draft.customer], today)
            for number, draft in enumerate(drafts, start=FIRST_NUMBER)
        )
        Payment.objects.bulk_create(
            Payment(
                order=order,
                reference=f"pay_{order.number.removeprefix('ORD-')}",
                amount=order.total,
                captured_on=order.placed_on,
            )
            for order in orders
        )
        Refund.objects.bulk_create(
            _earlier_refund(order, draft)
            for order, draft in zip(orders, drafts, strict=True)
            if draft.refunded_items
        )
        return True


def customer_names() -> list[str]:
    """Sixty companies."""
    return [f"{first} {second}" for second in SECOND_PARTS for first in FIRST_PARTS]


def address_of(name: str) -> str:
    """A mail address at a name that cannot exist (RFC 2606)."""
    return f"orders@{name.lower().replace(' ', '-')}.example"


def draft_orders() -> Iterator[Draft]:
    """The showcases, then orders from a generator with a fixed seed."""
    for shown in SHOWCASES:
        yield Draft(
            customer=shown.customer,
            product=shown.product,
            quantity=shown.quantity,
            unit_price=shown.unit_price,
            status=OrderStatus.DELIVERED,
            placed_days_ago=shown.delivered_days_ago + 4,
            delivered_days_ago=shown.delivered_days_ago,
            note="",
            refunded_items=0,
        )
    # A generator of its own: the shop is the same whoever else draws random numbers.
    draw = random.Random(SEED)  # noqa: S311 - goods, not secrets
    names = customer_names()
    for _ in range(ORDERS - len(SHOWCASES)):
        yield _draw_order(draw, names)


def _draw_order(draw: random.Random, names: list[str]) -> Draft:
    product, price = draw.choice(GOODS)
    quantity = draw.randint(1, 12)
    status = draw.choices(
        [OrderStatus.DELIVERED, OrderStatus.SHIPPED, OrderStatus.PAID], weights=[84, 9, 7]
    )[0]
    delivered: int | None = None
    placed = draw.randint(0, 4)
    if status == OrderStatus.DELIVERED:
        delivered = draw.randint(120, 700) if draw.random() < 0.1 else draw.randint(1, 60)
        placed = delivered + draw.randint(2, 6)
    refunded = delivered is not None and quantity > 1 and draw.random() < 0.07
    return Draft(
        customer=draw.choice(names),
        product=product,
        quantity=quantity,
        unit_price=Decimal(price),
        status=status,
        placed_days_ago=placed,
        delivered_days_ago=delivered,
        note=draw.choice(NOTES) if draw.random() < 0.2 else "",
        refunded_items=draw.randint(1, quantity - 1) if refunded else 0,
    )


def _order(draft: Draft, number: str, customer: Customer, today: date) -> Order:
    delivered = draft.delivered_days_ago
    return Order(
        number=number,
        customer=customer,
        product=draft.product,
        quantity=draft.quantity,
        unit_price=draft.unit_price,
        total=draft.total,
        status=draft.status,
        placed_on=today - timedelta(days=draft.placed_days_ago),
        delivered_on=today - timedelta(days=delivered) if delivered is not None else None,
        customer_note=draft.note,
    )


def _earlier_refund(order: Order, draft: Draft) -> Refund:
    settled = datetime.combine(order.delivered_on or order.placed_on, time(12), tzinfo=UTC)
    digits = order.number.removeprefix("ORD-")
    return Refund(
        order=order,
        amount=draft.refunded_items * draft.unit_price,
        reason="Arrived damaged.",
        idempotency_key=f"earlier-{digits}",
        state=LedgerState.PAID,
        provider_reference=f"re_earlier_{digits}",
        created_at=settled,
        settled_at=settled,
    )

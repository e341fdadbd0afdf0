"""The shop is the same on every machine, and filling it twice changes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, transaction

from demo.agents import refund_desk
from demo.models import Customer, Order, Payment, Refund
from demo.practice.reading import read_ticket
from demo.rules import too_old
from demo.services.stock_shop import draft_orders, stock_shop


def test_the_drafts_are_the_same_every_time() -> None:
    assert list(draft_orders()) == list(draft_orders())


def test_filling_twice_changes_nothing(shop: None) -> None:
    tables = (Customer, Order, Payment, Refund)
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    assert not stock_shop(today=date(2030, 1, 1))
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before


def test_a_few_hundred_orders_are_paid_and_some_partly_refunded(shop: None) -> None:
    assert Order.objects.count() == 300
    assert Payment.objects.count() == 300
    for order in Order.objects.with_everything():
        assert order.payment.amount == order.total
        assert 0 <= order.given_back() < order.total
    assert Refund.objects.count() > 5


def test_the_examples_name_orders_that_suit_them(shop: None) -> None:
    tickets = [read_ticket(example.input) for example in refund_desk.examples]
    for ticket in tickets:
        for number in ticket.orders:
            order = Order.objects.with_everything().get(number=number)
            assert ticket.amount == order.unit_price
            forbidden = too_old(order.delivered_on, datetime.now(UTC).date())
            assert forbidden == (number == "ORD-10004")


def test_the_database_refuses_a_total_that_does_not_add_up(tablets: Order) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.filter(pk=tablets.pk).update(quantity=1)

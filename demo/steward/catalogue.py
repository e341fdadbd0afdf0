"""The tables that data-steward's login is let at, column by column. Pure; the grants follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

KEY: Final = "id"
"""Every table's primary key, which the database makes."""


@dataclass(frozen=True)
class Column:
    """A column that may be read; `writable`: and changed."""

    name: str
    type: str
    meaning: str
    writable: bool = False


@dataclass(frozen=True)
class Table:
    """A table; rows may be added or deleted only where that is said.

    `title` is what people call one row, and `label` the column that names it.
    """

    name: str
    title: str
    label: str
    meaning: str
    columns: tuple[Column, ...]
    insert: bool = False
    delete: bool = False

    @cached_property
    def readable(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

    @cached_property
    def writable(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns if column.writable)

    @property
    def changeable(self) -> bool:
        return bool(self.writable) or self.insert or self.delete


CUSTOMERS: Final = Table(
    "demo_customer",
    "customer",
    "name",
    "Companies that buy from the shop. Names and e-mail addresses are unique.",
    (
        Column(KEY, "bigint", "number of the customer"),
        Column("name", "text", "the company's name", writable=True),
        Column("email", "text", "where its mail goes"),
        Column("city", "text", "where it is", writable=True),
        Column("note", "text", "what somebody noted about it", writable=True),
    ),
    delete=True,
)
ORDERS: Final = Table(
    "demo_order",
    "order",
    "number",
    "One product in some quantity; total is quantity times unit_price, in euro.",
    (
        Column(KEY, "bigint", "number of the row"),
        Column("number", "text", "the order's number, such as ORD-10042"),
        Column("customer_id", "bigint", "demo_customer.id"),
        Column("product", "text", "what was bought"),
        Column("quantity", "integer", "how many"),
        Column("unit_price", "numeric", "euro"),
        Column("total", "numeric", "euro"),
        Column("status", "text", "paid, shipped or delivered", writable=True),
        Column("placed_on", "date", "when it was ordered"),
        Column(
            "delivered_on",
            "date",
            "when it arrived; there exactly when delivered",
            writable=True,
        ),
        Column("customer_note", "text", "what the customer wrote", writable=True),
    ),
)
PAYMENTS: Final = Table(
    "demo_payment",
    "payment",
    "id",
    "What was paid for each order. Only to be read.",
    (
        Column(KEY, "bigint", "number of the row"),
        Column("order_id", "bigint", "demo_order.id"),
        Column("amount", "numeric", "euro"),
        Column("captured_on", "date", "when it was paid"),
    ),
)
REFUNDS: Final = Table(
    "demo_refund",
    "refund",
    "id",
    "Money that went back. Only to be read.",
    (
        Column(KEY, "bigint", "number of the row"),
        Column("order_id", "bigint", "demo_order.id"),
        Column("amount", "numeric", "euro"),
        Column("reason", "text", "why"),
        Column("state", "text", "reserved, paid or refused"),
        Column("created_at", "timestamptz", "when it was asked for"),
        Column("settled_at", "timestamptz", "when it was paid or refused"),
    ),
)
TABLES: Final = {table.name: table for table in (CUSTOMERS, ORDERS, PAYMENTS, REFUNDS)}
LEDGER: Final = "demo_stewardchange"
LEDGER_ROWS: Final = "demo_stewardrow"
"""Where the login notes what it did; no statement of a model reaches them."""

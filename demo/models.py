"""The shop's tables: customers, orders, payments, the refund ledger, sent mail, and what data-steward changed.
Money is exact euro cents."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from demo.ledger import LedgerRow, MailRow, euro_of, ledger_rules
from demo.payables import Invoice, PurchaseOrder, Supplier, SupplierMail, SupplierPayment

__all__ = [
    "Customer",
    "Invoice",
    "Order",
    "OrderStatus",
    "Payment",
    "PurchaseOrder",
    "Refund",
    "SentMail",
    "Supplier",
    "SupplierMail",
    "SupplierPayment",
]


class Customer(models.Model):
    """A company that buys from the shop."""

    name = models.CharField(max_length=120, unique=True)
    email = models.EmailField(unique=True)
    city = models.CharField(max_length=80, blank=True, db_default="")
    note = models.TextField(blank=True, db_default="")

    def __str__(self) -> str:
        return self.name


class OrderStatus(models.TextChoices):
    PAID = "paid", "Paid"
    SHIPPED = "shipped", "Shipped"
    DELIVERED = "delivered", "Delivered"


class OrderQuerySet(models.QuerySet["Order"]):
    def by_number(self, number: str) -> OrderQuerySet:
        return self.filter(number=number)

    def with_everything(self) -> OrderQuerySet:
        """With customer and payment, in one query."""
        return self.select_related("customer", "payment")


class Order(models.Model):
    """One product in some quantity."""

    number = models.CharField(max_length=16, unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders")
    product = models.CharField(max_length=120)
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    status = models.CharField(max_length=16, choices=OrderStatus.choices)
    placed_on = models.DateField()
    delivered_on = models.DateField(null=True, blank=True)
    customer_note = models.TextField(blank=True)

    objects: ClassVar[OrderQuerySet] = OrderQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(total=F("quantity") * F("unit_price")) & Q(total__gt=0),
                name="demo_order_total_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(status="delivered", delivered_on__isnull=False)
                | (~Q(status="delivered") & Q(delivered_on__isnull=True)),
                name="demo_order_delivered_has_a_date",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def given_back(self, *, besides: str = "") -> Decimal:
        """Euro refunded or just being refunded, apart from the refund with the key `besides`."""
        return euro_of(self.refunds.all(), besides=besides)


class Payment(models.Model):
    """What the customer paid for an order; the provider knows it by its reference."""

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="payment")
    reference = models.CharField(max_length=32, unique=True)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    captured_on = models.DateField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="demo_payment_more_than_zero")
        ]

    def __str__(self) -> str:
        return self.reference


class Refund(LedgerRow):
    """The refund ledger."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = ledger_rules("refund")

    def __str__(self) -> str:
        return f"{self.amount} for {self.order.number}"

    def lock(self) -> None:
        Order.objects.select_for_update().get(pk=self.order_id)


class SentMail(MailRow):
    """A mail to the customer of an order."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="mails")


class StewardChange(models.Model):
    """A statement that data-steward's login carried out, once for each key."""

    key = models.CharField(max_length=120, unique=True)
    statement = models.TextField()
    applied_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.key


class StewardRow(models.Model):
    """One row that such a statement touched, as it was and as it is; null where there was or is none.

    Written by a trigger on the shop's tables, in the statement's own transaction.
    """

    change = models.ForeignKey(
        StewardChange,
        on_delete=models.PROTECT,
        to_field="key",
        db_column="change_key",
        related_name="rows",
    )
    table = models.CharField(max_length=63)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"{self.table} by {self.change_id}"

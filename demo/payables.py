"""The shop's tables of what it buys: suppliers, purchase orders, invoices as received, and what was paid for them."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Now

NOTHING = Decimal("0.00")


class Supplier(models.Model):
    """A company that the shop buys from. Money goes to `account`, an IBAN, and to no other."""

    name = models.CharField(max_length=120, unique=True)
    email = models.EmailField(unique=True)
    account = models.CharField(max_length=34)
    monthly_limit = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(monthly_limit__gt=0), name="demo_supplier_limit_more_than_zero"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PurchaseOrder(models.Model):
    """What was ordered of a supplier, for how much."""

    number = models.CharField(max_length=16, unique=True)
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="orders")
    what = models.CharField(max_length=160)
    total = models.DecimalField(max_digits=10, decimal_places=2)
    placed_on = models.DateField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(total__gt=0), name="demo_purchase_more_than_zero")
        ]

    def __str__(self) -> str:
        return self.number

    def paid(self, *, besides: str = "") -> Decimal:
        """Euro paid or just being paid for it, apart from the payment with the key `besides`."""
        rows = self.payments.exclude(state=PayoutState.REFUSED).exclude(idempotency_key=besides)
        return rows.aggregate(total=Sum("amount"))["total"] or NOTHING


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    def numbered(self, number: str) -> Invoice | None:
        """The invoice with our number, with its supplier; None where there is none."""
        return self.select_related("supplier").filter(number=number).first()


class Invoice(models.Model):
    """An invoice under our own number. `text` is what the supplier sent, which nobody vouches for."""

    number = models.CharField(max_length=16, unique=True)
    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="invoices")
    received_on = models.DateField()
    text = models.TextField()

    objects: ClassVar[InvoiceQuerySet] = InvoiceQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.number


class PayoutState(models.TextChoices):
    RESERVED = "reserved", "Sent to the payment provider, no answer yet"
    PAID = "paid", "Paid"
    REFUSED = "refused", "Refused by the payment provider"


class SupplierPayment(models.Model):
    """The ledger of payments to suppliers: a row is written before the provider is called, and settled by it.

    `reference` is the supplier's own number of the invoice, where one was read. `unanswered` counts the calls
    that were sent and of which nobody knows what they did.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    order = models.ForeignKey(
        PurchaseOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="payments"
    )
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    account = models.CharField(max_length=34)
    reference = models.CharField(max_length=60, blank=True)
    idempotency_key = models.CharField(max_length=120, unique=True)
    state = models.CharField(
        max_length=16, choices=PayoutState.choices, default=PayoutState.RESERVED
    )
    provider_reference = models.CharField(max_length=64, blank=True)
    unanswered = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="demo_payout_more_than_zero"),
            models.CheckConstraint(
                condition=~Q(state="paid")
                | (~Q(provider_reference="") & Q(settled_at__isnull=False)),
                name="demo_payout_paid_has_a_reference",
            ),
            # Two payments of one invoice at once are one too many.
            models.UniqueConstraint(
                fields=["invoice"], condition=~Q(state="refused"), name="demo_invoice_paid_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.invoice.number}"


class SupplierMail(models.Model):
    """A mail to a supplier that was handed to the mail server. No row means only that nobody knows."""

    idempotency_key = models.CharField(max_length=120, unique=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="mails")
    recipient = models.EmailField()
    subject = models.CharField(max_length=150)
    body = models.TextField()
    sent_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.subject} to {self.recipient}"

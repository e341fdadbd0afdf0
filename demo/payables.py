"""The shop's tables of what it buys: suppliers, purchase orders, invoices as received, and what was paid for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from django.db import models
from django.db.models import Q

from demo.ledger import NOTHING, LedgerRow, MailRow, euro_of, ledger_rules


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

    def paid_in_month(self, now: datetime) -> Decimal:
        """Euro paid or just being paid in the month of `now`."""
        rows = SupplierPayment.objects.filter(invoice__supplier=self)
        return euro_of(rows.filter(created_at__year=now.year, created_at__month=now.month))

    def left_in_month(self, now: datetime) -> Decimal:
        """Euro that may still be paid in the month of `now`, never less than nothing."""
        return max(self.monthly_limit - self.paid_in_month(now), NOTHING)


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
        return euro_of(self.payments.all(), besides=besides)


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


class SupplierPayment(LedgerRow):
    """A payment to a supplier. `reference`: the supplier's own number of the invoice, where one was read."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payments")
    order = models.ForeignKey(
        PurchaseOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="payments"
    )
    account = models.CharField(max_length=34)
    reference = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            *ledger_rules("payout"),
            # Two payments of one invoice at once are one too many.
            models.UniqueConstraint(
                fields=["invoice"], condition=~Q(state="refused"), name="demo_invoice_paid_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.invoice.number}"

    def lock(self) -> None:
        Invoice.objects.select_for_update().get(pk=self.invoice_id)


class SupplierMail(MailRow):
    """A mail to the supplier of an invoice."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="mails")

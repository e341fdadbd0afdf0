"""What the shop's ledgers of money and mail have in common: rows that are written before or after the call outside."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Now

NOTHING = Decimal("0.00")


class LedgerState(models.TextChoices):
    RESERVED = "reserved", "Sent to the payment provider, no answer yet"
    PAID = "paid", "Paid"
    REFUSED = "refused", "Refused by the payment provider"


class LedgerRow(models.Model):
    """Money that moves once for its key. The row is written before the provider is called and settled by its answer.

    `unanswered` counts the calls that were sent and of which nobody knows what they did.
    """

    amount = models.DecimalField(max_digits=10, decimal_places=2)
    idempotency_key = models.CharField(max_length=120, unique=True)
    state = models.CharField(
        max_length=16, choices=LedgerState.choices, default=LedgerState.RESERVED
    )
    provider_reference = models.CharField(max_length=64, blank=True)
    unanswered = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def lock(self) -> None:
        """Lock the row of what the money is for, as whoever reserves does."""
        raise NotImplementedError


def ledger_rules(name: str) -> list[models.BaseConstraint]:
    """What the database itself holds of every row of a ledger."""
    settled = ~Q(provider_reference="") & Q(settled_at__isnull=False)
    return [
        models.CheckConstraint(condition=Q(amount__gt=0), name=f"demo_{name}_more_than_zero"),
        models.CheckConstraint(
            condition=~Q(state="paid") | settled, name=f"demo_{name}_paid_has_a_reference"
        ),
    ]


def euro_of(rows: models.QuerySet[Any], *, besides: str = "") -> Decimal:
    """Euro moved or just being moved by these rows, apart from the one with the key `besides`."""
    standing = rows.exclude(state=LedgerState.REFUSED).exclude(idempotency_key=besides)
    return standing.aggregate(total=Sum("amount"))["total"] or NOTHING


class MailRow(models.Model):
    """A mail that was handed to the mail server, once for its key. No row means only that nobody knows."""

    idempotency_key = models.CharField(max_length=120, unique=True)
    recipient = models.EmailField()
    subject = models.CharField(max_length=150)
    body = models.TextField()
    sent_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.subject} to {self.recipient}"

"""Reason chips: the reasons that admins offer, to be picked instead of written."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from approvals.vocabulary import Verdict


class ReasonChipQuerySet(models.QuerySet["ReasonChip"]):
    """Words about reason chips."""

    def offered(self) -> ReasonChipQuerySet:
        """Those that are not retired, as reviewers see them."""
        return self.filter(retired_at__isnull=True).in_order()

    def offered_for(self, verdict: Verdict | str) -> ReasonChipQuerySet:
        """Those that may be picked for a verdict."""
        return self.offered().filter(verdicts__contains=[str(verdict)])

    def in_order(self) -> ReasonChipQuerySet:
        """As an admin put them."""
        return self.order_by("position", "code")


class ReasonChip(models.Model):
    """One reason: `code` stands in votes and events and never changes, `label` is what people read.

    `verdicts` are those that it is offered for. A retired one is not offered any more; what was decided
    with it keeps its code and the label of then.
    """

    code = models.CharField(max_length=40, primary_key=True)
    label = models.CharField(max_length=80)
    verdicts = models.JSONField(default=list)
    position = models.PositiveIntegerField()
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = ReasonChipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(code__regex=r"^[a-z][a-z0-9_]{0,39}$"), name="approvals_chip_code"
            ),
            models.CheckConstraint(condition=~Q(label=""), name="approvals_chip_has_label"),
        ]

    def __str__(self) -> str:
        return self.label

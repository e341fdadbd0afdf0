"""Prices of models: what a million tokens cost, and from when on."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q


class ModelPriceQuerySet(models.QuerySet["ModelPrice"]):
    def newest_first(self) -> Self:
        """By model, what holds latest first; of several that hold from the same moment the one set last."""
        return self.order_by("model", "-holds_from", "-id")


class ModelPrice(models.Model):
    """What a model costs from a moment on, until another row of the same model holds.

    All three are in millionths of the currency unit for a million tokens: `cached_micros` for input that
    the server had in its cache. `set_by` nobody: it came with the product. Rows are never changed, so that
    what a call was charged can be followed afterwards.
    """

    model = models.CharField(max_length=200)
    input_micros = models.PositiveBigIntegerField()
    cached_micros = models.PositiveBigIntegerField()
    output_micros = models.PositiveBigIntegerField()
    holds_from = models.DateTimeField()
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    set_at = models.DateTimeField()

    objects = ModelPriceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "holds_from"],
                condition=Q(set_by__isnull=True),
                name="price_shipped_once",
            ),
        ]
        indexes = [
            models.Index(fields=["model", "-holds_from", "-id"], name="price_of_model"),
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.holds_from:%Y-%m-%d}"

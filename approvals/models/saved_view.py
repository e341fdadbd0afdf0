"""Saved views: lists with their filters, by the names that a reviewer gave them."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

LONGEST_NAME: Final = 60


class SavedView(models.Model):
    """A list and its filters, as a part of an address, for the person who named it; nobody else sees it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=LONGEST_NAME)
    query = models.CharField(max_length=2_000)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="approvals_view_named_once"),
            models.CheckConstraint(condition=~Q(name=""), name="approvals_view_has_name"),
        ]

    def __str__(self) -> str:
        return self.name

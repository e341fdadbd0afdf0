"""Policy versions. Published ones are numbered and never change again."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class PolicyVersionQuerySet(models.QuerySet["PolicyVersion"]):
    """Words about policy versions."""

    def published(self) -> PolicyVersionQuerySet:
        """All versions that are or were in force."""
        return self.filter(state=PolicyVersion.State.PUBLISHED)

    def open_drafts(self) -> PolicyVersionQuerySet:
        """Drafts that are being written or wait for somebody to publish them."""
        return self.filter(state__in=[PolicyVersion.State.DRAFT, PolicyVersion.State.SUBMITTED])

    def in_scopes(self, groups: Iterable[str]) -> PolicyVersionQuerySet:
        """Those that change only the own rules of one of these groups."""
        return self.filter(scope__in=list(groups))

    def newest_first(self) -> PolicyVersionQuerySet:
        """By number, the one in force first."""
        return self.order_by("-number", "-id")


class PolicyVersion(models.Model):
    """One policy document: a draft, or a published version. The highest number is in force.

    `base` is the version the author began from; `author` and `published_by` are empty for the
    versions that the system brings. `editors` are all who wrote in it; `edition` counts how often.
    `scope` is the group whose own rules it changes, empty for the whole policy. `restores` is the
    version that it brings back.
    """

    class State(models.TextChoices):
        """Where a version stands."""

        DRAFT = "draft"
        SUBMITTED = "submitted"
        PUBLISHED = "published"
        WITHDRAWN = "withdrawn"

    number = models.PositiveIntegerField(null=True, blank=True)
    document = models.JSONField()
    sha256 = models.CharField(max_length=71)
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    why = models.TextField(blank=True)
    base = models.PositiveIntegerField(null=True, blank=True)
    scope = models.CharField(max_length=50, blank=True, default="", db_default="")
    edition = models.PositiveIntegerField(default=1, db_default=1)
    editors = ArrayField(models.BigIntegerField(), default=list, db_default=[])
    restores = models.PositiveIntegerField(null=True, blank=True)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    submitted_at = models.DateTimeField(null=True, blank=True)
    tightens_only = models.BooleanField(null=True, blank=True)
    second_waived = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())
    published_at = models.DateTimeField(null=True, blank=True)

    objects = PolicyVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["number"], name="approvals_policy_number_once"),
            models.CheckConstraint(
                condition=Q(state="published", number__isnull=False, published_at__isnull=False)
                | (~Q(state="published") & Q(number__isnull=True)),
                name="approvals_policy_published_has_number",
            ),
        ]

    def __str__(self) -> str:
        return f"policy {self.number}" if self.number else f"policy draft {self.pk}"

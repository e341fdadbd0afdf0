"""Sticky approvals, granted from a request, in force until they end or are revoked."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from uuid6 import uuid7

from accounts.models import User
from approvals.sticky import Sticky


class StickyApprovalQuerySet(models.QuerySet["StickyApproval"]):
    """Words about sticky approvals."""

    def in_force(self) -> StickyApprovalQuerySet:
        """Those that are neither over nor revoked."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=Now())

    def counting(self) -> StickyApprovalQuerySet:
        """Those that allow something now: they rest while whoever granted them may not grant any."""
        granters = User.objects.holding("grant_sticky_approvals")
        return self.in_force().filter(Exists(granters.filter(pk=OuterRef("granted_by"))))

    def newest_first(self) -> StickyApprovalQuerySet:
        """By when they were granted."""
        return self.order_by("-granted_at", "-id")


class StickyApproval(models.Model):
    """One grant. `constraints` are `sticky.Constraint` by argument."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey("ApprovalRequest", on_delete=models.PROTECT, related_name="+")
    agent = models.CharField(max_length=100)
    agent_title = models.CharField(max_length=200, blank=True)
    owner_group = models.ForeignKey(
        "accounts.ReviewGroup", on_delete=models.PROTECT, null=True, related_name="+"
    )
    tool = models.CharField(max_length=100)
    constraints = models.JSONField()
    sensitive = models.JSONField(default=list)
    why = models.TextField()
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    granted_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = StickyApprovalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("granted_at")), name="approvals_sticky_has_length"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="approvals_sticky_revoked_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(revoked_at__isnull=True),
                name="approvals_sticky_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool} of {self.agent} until {self.expires_at}"

    @property
    def sticky(self) -> Sticky:
        """As the gate sees it; read with `granted_by`."""
        return Sticky(
            id=self.pk,
            agent=self.agent,
            tool=self.tool,
            constraints=self.constraints,
            since=self.granted_at,
            until=self.expires_at,
            granted_by=self.granted_by.get_full_name(),
            granter=self.granted_by_id,
        )

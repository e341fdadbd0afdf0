"""What belongs to a request: who may decide it, its revisions, who opened it, votes, comments."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from uuid6 import uuid7

from approvals.vocabulary import Verdict


class RequestGroup(models.Model):
    """A group that may decide a request, and how many of it are needed.

    A stand-in was asked by escalation: its members may take the place of anybody needed. Where its own were asked
    before, they still are; else none of it are needed.
    """

    #: Found by the index of the constraint, which tells the group without the row.
    request = models.ForeignKey(
        "ApprovalRequest",
        on_delete=models.CASCADE,
        related_name="request_groups",
        db_index=False,
    )
    group = models.ForeignKey("accounts.ReviewGroup", on_delete=models.PROTECT, related_name="+")
    needed = models.PositiveSmallIntegerField(default=1)
    stands_in = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["request", "group"], name="approvals_requestgroup_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.needed} of {self.group_id}"


class RequestRevision(models.Model):
    """What was to be decided, as of one revision, with exactly what people were shown.

    `editor` is who made it by an edit; empty for the agent's own proposal and for revisions that
    the system made because the world or the policy changed (`why` says which).
    """

    request = models.ForeignKey(
        "ApprovalRequest", on_delete=models.CASCADE, related_name="revisions"
    )
    revision = models.PositiveIntegerField()
    digest = models.CharField(max_length=71)
    shown = models.BinaryField()
    shown_sha256 = models.CharField(max_length=71)
    policy_version = models.PositiveIntegerField(default=0)
    policy_sha256 = models.CharField(max_length=71, blank=True)
    editor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    material = models.BooleanField(default=False)
    why = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["revision"]
        constraints = [
            models.UniqueConstraint(fields=["request", "revision"], name="approvals_revision_once"),
        ]

    def __str__(self) -> str:
        return f"revision {self.revision} of {self.request_id}"

    @property
    def document(self) -> dict[str, Any]:
        """What people were shown."""
        document: dict[str, Any] = orjson.loads(bytes(self.shown))
        return document

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that were to be decided."""
        arguments: dict[str, Any] = self.document["arguments"]
        return arguments


class Vote(models.Model):
    """One person's verdict on one revision.

    `counts` is True while it is an approval that the quorum counts. `answer` is what the person
    was told, so that the same nonce gets the same answer; `body_sha256` tells another body apart.
    `on_behalf_of` are ids of the people whose absence let the person decide, where their own groups did not.
    `reason_code` is the chip that was picked, `reason_label` what it said then.
    `second_factor` is what confirmed it where that was asked for, `second_factor_age_seconds` how long before.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey("ApprovalRequest", on_delete=models.CASCADE, related_name="votes")
    revision = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    auth = models.CharField(max_length=60)
    verdict = models.CharField(max_length=12, choices=[(v.value, v.value) for v in Verdict])
    nonce = models.CharField(max_length=100)
    body_sha256 = models.CharField(max_length=71)
    digest = models.CharField(max_length=71)
    shown_sha256 = models.CharField(max_length=71)
    reason = models.TextField(blank=True)
    reason_code = models.CharField(max_length=40, blank=True, default="", db_default="")
    reason_label = models.CharField(max_length=80, blank=True, default="", db_default="")
    groups = models.JSONField(default=list)
    on_behalf_of = models.JSONField(default=list)
    counts = models.BooleanField(default=False)
    voided_at = models.DateTimeField(null=True, blank=True)
    answer = models.JSONField(default=dict)
    material = models.BooleanField(default=False)
    score_visible = models.BooleanField(default=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    active_seconds = models.PositiveIntegerField(null=True, blank=True)
    second_factor = models.CharField(max_length=20, blank=True, default="", db_default="")
    second_factor_age_seconds = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["request", "user", "nonce"], name="approvals_vote_nonce_once"
            ),
            models.UniqueConstraint(
                fields=["request", "revision", "user"],
                condition=Q(counts=True),
                name="approvals_vote_person_counts_once",
            ),
            models.CheckConstraint(
                condition=Q(counts=False) | Q(voided_at__isnull=True),
                name="approvals_vote_void_counts_not",
            ),
            models.CheckConstraint(
                condition=Q(reason_code="", reason_label="")
                | (~Q(reason_code="") & ~Q(reason_label="")),
                name="approvals_vote_chip_has_label",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} on {self.request_id}"


class Viewing(models.Model):
    """That a person opened a revision, and when for the first time."""

    request = models.ForeignKey(
        "ApprovalRequest", on_delete=models.CASCADE, related_name="viewings"
    )
    revision = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["request", "revision", "user"], name="approvals_viewing_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} opened {self.request_id}"


class Snooze(models.Model):
    """That a person wants one revision of a request out of their lists until a moment; nobody else's change."""

    request = models.ForeignKey("ApprovalRequest", on_delete=models.CASCADE, related_name="snoozes")
    revision = models.PositiveIntegerField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "user"], name="approvals_snooze_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} wants {self.request_id} back at {self.until}"


class Comment(models.Model):
    """What a person wrote under a request."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(
        "ApprovalRequest", on_delete=models.CASCADE, related_name="comments"
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    body = models.TextField(max_length=5_000)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.body[:60]

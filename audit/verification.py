"""Checks of the whole log that somebody asked for, and what they found."""

from typing import Any, ClassVar, Self

import uuid6
from django.db import models

from audit.background import BackgroundWork, BackgroundWorkQuerySet
from audit.ports import Person


class VerificationState(models.TextChoices):
    """How far a check is, or what it came to."""

    QUEUED = "queued", "waiting for a worker"
    RUNNING = "running", "being checked"
    FITS = "fits", "everything fits"
    DIFFERS = "differs", "something does not fit"
    FAILED = "failed", "not finished"


class VerificationQuerySet(BackgroundWorkQuerySet["Verification"]):
    """The words in which checks are asked for."""

    def visible_to(self, user: Person) -> Self:
        """All checks for whoever may read the log; none for anybody else."""
        return self if user.is_active and user.has_perm("accounts.read_audit") else self.none()


class Verification(BackgroundWork):
    """One check of the log from its bytes up.

    `found` are sentences about what does not fit, as many as are kept; `notes` what is worth knowing besides;
    `summary` says what was looked at, in English, for programs; `looked_at` holds its numbers.
    """

    id = models.UUIDField(primary_key=True, default=uuid6.uuid7)
    state = models.CharField(
        max_length=8, choices=VerificationState.choices, default=VerificationState.QUEUED
    )
    events = models.BigIntegerField(default=0)
    leaves = models.BigIntegerField(default=0)
    found: "models.JSONField[list[str], list[str]]" = models.JSONField(default=list)
    notes: "models.JSONField[list[str], list[str]]" = models.JSONField(default=list)
    summary = models.TextField(blank=True)
    looked_at: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )

    objects = VerificationQuerySet.as_manager()

    class Meta:
        app_label = "audit"
        constraints: ClassVar = [
            models.CheckConstraint(
                name="audit_verification_state",
                condition=models.Q(state__in=VerificationState.values),
            ),
            # Two checks at once would read the same rows twice: whoever asks joins the one underway.
            models.UniqueConstraint(
                models.Value(1),
                condition=models.Q(state__in=["queued", "running"]),
                name="audit_verification_one_underway",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-created_at", "-id"], name="audit_verification_newest")
        ]

    def __str__(self) -> str:
        return f"check {self.id}"

    @property
    def is_underway(self) -> bool:
        return self.state in (VerificationState.QUEUED, VerificationState.RUNNING)

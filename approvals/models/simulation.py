"""Simulations: what a draft would have made of past actions."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from uuid6 import uuid7


class Simulation(models.Model):
    """One draft, as of one edition, over the actions of a range of time.

    `line` is the threshold that the curve runs over, by its key. `done` of `total` actions are judged;
    `beat_at` is when a worker last said so.
    """

    class State(models.TextChoices):
        """How far it is."""

        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    draft = models.ForeignKey("PolicyVersion", on_delete=models.CASCADE, related_name="simulations")
    edition = models.PositiveIntegerField()
    document = models.JSONField()
    against = models.PositiveIntegerField()
    line = models.CharField(max_length=400, blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    result = models.JSONField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(since__lt=models.F("until")),
                name="approvals_simulation_has_a_range",
            ),
        ]
        indexes = [
            models.Index(fields=["draft", "-created_at"], name="approvals_sim_of_draft"),
            models.Index(
                fields=["beat_at"],
                condition=models.Q(state__in=["queued", "running"]),
                name="approvals_sim_open",
            ),
        ]

    def __str__(self) -> str:
        return f"simulation of draft {self.draft_id}"

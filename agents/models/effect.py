"""Effects: outside calls that may have consequences."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Q

from agents.kill_switches import new_id
from agents.models.fields import choices_of, values_of
from agents.models.run import Run
from agents.models.step import Step
from agents.states import EffectState, effect_sources
from audit.writes import update

_EFFECT_SOURCES = {target: values_of(effect_sources(target)) for target in EffectState}


class EffectQuerySet(models.QuerySet["EffectRecord"]):
    def move(self, pk: UUID, target: EffectState, **changes: Any) -> bool:
        """Move one effect by conditional update; False when it stands elsewhere."""
        where = {"pk": pk, "state__in": _EFFECT_SOURCES[target]}
        return update(EffectRecord, where, {"state": target.value, **changes}) == 1


class EffectRecord(models.Model):
    """One outside call that may have consequences: its intent, and what became of it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="effects")
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="effects")
    approval_id = models.UUIDField(null=True, blank=True)
    approval_revision = models.PositiveIntegerField(null=True, blank=True)
    digest = models.CharField(max_length=71)
    effect_class = models.CharField(max_length=16)
    idempotency_key = models.CharField(max_length=120, unique=True)
    provider = models.CharField(max_length=63, blank=True, default="", db_default="")
    reference = models.CharField(max_length=200, blank=True, default="", db_default="")
    callbacks = models.JSONField(
        default=list, blank=True, db_default=models.Value([], models.JSONField())
    )
    mail_due_at = models.DateTimeField(null=True, blank=True)
    undo_asked = models.JSONField(null=True, blank=True)
    state = models.CharField(
        max_length=12, choices=choices_of(EffectState), default=EffectState.READY.value
    )
    epoch = models.PositiveIntegerField()
    sends = models.PositiveIntegerField(default=0)
    dispatched_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)

    objects = EffectQuerySet.as_manager()

    class Meta:
        db_table = "agents_effect"
        constraints = [
            models.UniqueConstraint(
                fields=["approval_id", "approval_revision"],
                condition=Q(approval_id__isnull=False),
                name="effect_once_per_approval",
            ),
            models.UniqueConstraint(
                fields=["step"],
                condition=Q(approval_id__isnull=True),
                name="effect_once_per_allowed_step",
            ),
            models.CheckConstraint(
                condition=Q(state__in=values_of(EffectState)), name="effect_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["run"], name="effect_of_run"),
            models.Index(
                fields=["reference"], condition=~Q(reference=""), name="effect_by_reference"
            ),
            models.Index(
                fields=["provider"],
                condition=Q(state__in=["ready", "dispatched", "in_doubt"]) & ~Q(provider=""),
                name="effect_of_provider_unsettled",
            ),
            models.Index(
                fields=["mail_due_at"],
                condition=Q(mail_due_at__isnull=False),
                name="effect_mail_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key} ({self.state})"

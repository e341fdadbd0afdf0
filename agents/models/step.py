"""Steps: the journal of a run."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from accounts.models import User
from agents.kill_switches import new_id
from agents.models.fields import choices_of, values_of
from agents.models.run import Run
from agents.states import StepKind, StepState, step_sources
from audit.writes import update

_STEP_SOURCES = {target: values_of(step_sources(target)) for target in StepState}


class StepQuerySet(models.QuerySet["Step"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(run__in=Run.objects.visible_to(user))

    def in_order(self) -> Self:
        return self.order_by("seq")

    def move(self, pk: UUID, target: StepState, **changes: Any) -> bool:
        """Move one step by conditional update; False when it is settled or elsewhere."""
        where = {"pk": pk, "state__in": _STEP_SOURCES[target]}
        return update(Step, where, {"state": target.value, **changes}) == 1


class Step(models.Model):
    """One journalled unit of a run. Holds data, never pickles; `agents.journal_schemas` says what
    `schema` means.

    `stopped`: its run parked because the tool is switched off. `cost_micros` is None where nobody said
    what the model costs. `agent_version_id` of a call is its run's, set by the database; none in simulated runs.
    """

    SCHEMA = 6
    SIMULATION_SCHEMA = 6
    CONTEXT_SCHEMA = 5
    DELEGATE_SCHEMA = 4
    SCORE_SCHEMA = 3
    PLAIN_SCHEMA = 2

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    seq = models.PositiveIntegerField()
    schema = models.PositiveSmallIntegerField(default=PLAIN_SCHEMA)
    kind = models.CharField(max_length=12, choices=choices_of(StepKind))
    name = models.CharField(max_length=200)
    call_id = models.CharField(max_length=200, blank=True)
    input_digest = models.CharField(max_length=71, blank=True)
    state = models.CharField(max_length=12, choices=choices_of(StepState))
    request = models.JSONField(null=True, blank=True)
    response = models.JSONField(null=True, blank=True)
    arguments = models.JSONField(null=True, blank=True)
    confidence_bp = models.PositiveSmallIntegerField(null=True, blank=True)
    rationale = models.TextField(blank=True)
    judgement = models.JSONField(null=True, blank=True)
    locks = models.JSONField(
        default=list, blank=True, db_default=models.Value([], models.JSONField())
    )
    undoes = models.ForeignKey(
        "EffectRecord", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by"
    )
    coin = models.JSONField(null=True, blank=True)
    approval_id = models.UUIDField(null=True, blank=True)
    agent_version_id = models.BigIntegerField(null=True, editable=False)
    stopped = models.BooleanField(default=False, db_default=False)
    state_token = models.TextField(blank=True)
    resolution = models.JSONField(null=True, blank=True)
    output = models.JSONField(null=True, blank=True)
    problem = models.CharField(max_length=40, blank=True)
    attempts = models.JSONField(default=list)
    model = models.CharField(max_length=200, blank=True)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    cost_micros = models.PositiveBigIntegerField(null=True, blank=True)
    epoch = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "seq"], name="step_seq_once"),
            models.UniqueConstraint(
                fields=["approval_id"],
                condition=Q(approval_id__isnull=False),
                name="step_of_approval_once",
            ),
            models.UniqueConstraint(
                fields=["undoes"],
                condition=Q(undoes__isnull=False) & ~Q(state__in=["failed", "refused"]),
                name="step_undoes_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=values_of(StepState)), name="step_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["name", "started_at"], name="step_of_tool"),
            models.Index(
                fields=["agent_version_id", "name", "finished_at"],
                condition=Q(state__in=["succeeded", "dispatched"]),
                name="step_sent",
            ),
            models.Index(
                fields=["started_at", "id"],
                condition=Q(judgement__isnull=False),
                name="step_judged",
            ),
            models.Index(
                fields=["started_at"],
                condition=Q(kind="budget", state="waiting"),
                name="step_at_limit",
            ),
            models.Index(
                fields=["name"],
                condition=Q(stopped=True, state__in=["proposed", "waiting", "dispatched"]),
                name="step_stopped",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.name} ({self.state})"

"""Hosted agents, their versions, runs, steps and effects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, OuterRef, Q
from uuid6 import uuid7

from accounts.models import EffectiveMembership, User
from agents.states import (
    CLAIMABLE,
    ENDED,
    OPEN,
    EffectState,
    MessageKind,
    Outcome,
    RunState,
    StepKind,
    StepState,
    effect_sources,
    run_sources,
    step_sources,
)
from approvals.visibility import asks_visibly
from audit.writes import update


def _groups_of(user: User) -> models.QuerySet[Any, Any]:
    """Ids of the review groups that the person counts as a member of."""
    return EffectiveMembership.objects.filter(user=user).values("group_id")


def new_id() -> UUID:
    """A UUIDv7: ordered by the time it was made."""
    return UUID(int=uuid7().int)


def _values(members: Iterable[str]) -> list[str]:
    """Plain values in a fixed order: a set of enum members would write a new migration each time."""
    return sorted(str(member.value if isinstance(member, Enum) else member) for member in members)


_RUN_SOURCES = {target: _values(run_sources(target)) for target in RunState}
_STEP_SOURCES = {target: _values(step_sources(target)) for target in StepState}
_EFFECT_SOURCES = {target: _values(effect_sources(target)) for target in EffectState}


def _choices(members: Any) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in members]


class AgentVersion(models.Model):
    """The full definition of an agent as it ran; immutable, named by its digest."""

    digest = models.CharField(max_length=71, unique=True)
    slug = models.CharField(max_length=63, db_index=True)
    definition = models.JSONField()
    first_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.slug} {self.digest[7:19]}"


class OfferedTools(models.Model):
    """The tools that model calls were made with, whole; immutable, named by its digest. Journals refer to it."""

    digest = models.CharField(max_length=71, primary_key=True)
    tools = models.JSONField()

    def __str__(self) -> str:
        return self.digest


class HostedAgentQuerySet(models.QuerySet["HostedAgent"]):
    def visible_to(self, user: User) -> Self:
        """Everyone who may start runs, decide, or read everything sees that an agent exists."""
        if not user.is_active:
            return self.none()
        needed = ("start_runs", "decide_requests", "read_everything", "manage_agents")
        if any(user.has_perm(f"accounts.{name}") for name in needed):
            return self.all()
        return self.filter(owner_group__in=_groups_of(user))


class HostedAgent(models.Model):
    """An agent as it is operated: which version runs, who answers for it, whether it is switched off."""

    slug = models.CharField(max_length=63, unique=True)
    title = models.CharField(max_length=200)
    category = models.CharField(max_length=20)
    owner_group = models.ForeignKey(
        "accounts.ReviewGroup", on_delete=models.PROTECT, related_name="+"
    )
    active_version = models.ForeignKey(
        AgentVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    disabled_reason = models.TextField(blank=True)

    objects = HostedAgentQuerySet.as_manager()

    def __str__(self) -> str:
        return self.slug


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: User) -> Self:
        """Own runs, runs of the agents one's groups own, runs that ask for something one may see, and
        everything for those who may read it."""
        if not user.is_active:
            return self.none()
        if user.has_perm("accounts.read_everything"):
            return self.all()
        seen = Q(initiator=user) | Q(agent__owner_group__in=_groups_of(user))
        seen |= Q(asks_visibly(user, run=OuterRef("pk")))
        if user.has_perm("accounts.start_runs"):
            seen |= Q(agent__isnull=False)
        return self.filter(seen)

    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def claimable(self, now: datetime) -> Self:
        """Runs that a worker may take now: not paused, their agent not switched off."""
        return self.filter(
            Q(ready_at__isnull=True) | Q(ready_at__lte=now),
            state__in=CLAIMABLE,
            paused_at__isnull=True,
            agent__disabled_at__isnull=True,
        )

    def change(self, pk: UUID, **changes: Any) -> None:
        """Change one run, whose row the caller holds, without moving it: values, or a field plus a number."""
        update(Run, {"pk": pk}, changes)

    def move(self, pk: UUID, target: RunState, **changes: Any) -> bool:
        """Move one run by conditional update; False when it no longer stands where it could."""
        where = {"pk": pk, "state__in": _RUN_SOURCES[target]}
        moved = {"state": target.value, "version": F("version") + 1, **changes}
        return update(Run, where, moved) == 1


class Run(models.Model):
    """One execution of one agent version on one input.

    `unheard`: a person said something that no worker has journalled yet; nothing goes out before that.
    `goal`: the task as a person changed it last, empty while it is the input.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(HostedAgent, on_delete=models.PROTECT, related_name="runs")
    agent_version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="runs")
    initiator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs"
    )
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    input = models.JSONField()
    input_digest = models.CharField(max_length=71)
    title = models.CharField(max_length=200)
    output = models.JSONField(null=True, blank=True)
    state = models.CharField(
        max_length=12, choices=_choices(RunState), default=RunState.QUEUED.value
    )
    outcome = models.CharField(max_length=12, choices=_choices(Outcome), blank=True)
    failure = models.JSONField(null=True, blank=True)
    version = models.PositiveBigIntegerField(default=1)
    epoch = models.PositiveIntegerField(default=0)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    wake_seq = models.PositiveIntegerField(default=0)
    nudged_at = models.DateTimeField(null=True, blank=True)
    ready_at = models.DateTimeField(null=True, blank=True)
    wake_at = models.DateTimeField(null=True, blank=True)
    sleeps = models.PositiveIntegerField(default=0)
    deadline = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_request = models.JSONField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    unheard = models.BooleanField(default=False, db_default=False)
    goal = models.TextField(blank=True, default="", db_default="")
    taken_over_at = models.DateTimeField(null=True, blank=True)
    taken_over_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    stalled_claims = models.PositiveIntegerField(default=0)
    left = models.JSONField(null=True, blank=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    depth = models.PositiveSmallIntegerField(default=0)
    undoes = models.ForeignKey(
        "EffectRecord", null=True, blank=True, on_delete=models.PROTECT, related_name="undo_runs"
    )
    tainted = models.BooleanField(default=False)
    tainted_by = models.JSONField(default=list)
    extra_caps = models.JSONField(default=dict)
    step_count = models.PositiveIntegerField(default=0)
    model_calls = models.PositiveIntegerField(default=0)
    tool_calls = models.PositiveIntegerField(default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    cost_micros = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    waited_seconds = models.FloatField(default=0.0)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["initiator", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="run_idempotency_key_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=_values(RunState)), name="run_state_known"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=False, state__in=_values(ENDED))
                | Q(finished_at__isnull=True, state__in=_values(OPEN)),
                name="run_ended_with_time",
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | Q(lease_expires_at__isnull=False),
                name="run_running_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(taken_over_at__isnull=True, taken_over_by__isnull=True)
                | Q(taken_over_at__isnull=False, taken_over_by__isnull=False),
                name="run_taken_over_by_somebody",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="run_newest"),
            models.Index(fields=["initiator", "-created_at"], name="run_of_initiator"),
            models.Index(fields=["agent", "-created_at"], name="run_of_agent"),
            models.Index(
                fields=["ready_at"],
                condition=Q(state__in=["queued", "ready"]),
                name="run_claimable",
            ),
            models.Index(
                fields=["lease_expires_at"], condition=Q(state="running"), name="run_leased"
            ),
            models.Index(fields=["wake_at"], condition=Q(state="sleeping"), name="run_sleeping"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    @property
    def ended(self) -> bool:
        return self.state in ENDED


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
    `schema` means."""

    SCHEMA = 3
    PLAIN_SCHEMA = 2

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    seq = models.PositiveIntegerField()
    schema = models.PositiveSmallIntegerField(default=PLAIN_SCHEMA)
    kind = models.CharField(max_length=12, choices=_choices(StepKind))
    name = models.CharField(max_length=64)
    call_id = models.CharField(max_length=200, blank=True)
    input_digest = models.CharField(max_length=71, blank=True)
    state = models.CharField(max_length=12, choices=_choices(StepState))
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
                condition=Q(state__in=_values(StepState)), name="step_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["name", "started_at"], name="step_of_tool"),
            models.Index(
                fields=["started_at", "id"],
                condition=Q(judgement__isnull=False),
                name="step_judged",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.name} ({self.state})"


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
        max_length=12, choices=_choices(EffectState), default=EffectState.READY.value
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
                condition=Q(state__in=_values(EffectState)), name="effect_state_known"
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


class ResourceClaim(models.Model):
    """A call's place in the line for a resource; `held` once it is its turn. Tickets grow with time."""

    ticket = models.BigAutoField(primary_key=True)
    resource = models.CharField(max_length=200)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="resource_claims")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="resource_claims")
    held = models.BooleanField(default=False)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["step", "resource"], name="resource_claim_once_per_step"
            ),
            models.UniqueConstraint(
                fields=["resource"], condition=Q(held=True), name="resource_held_once"
            ),
        ]
        indexes = [
            models.Index(fields=["resource", "ticket"], name="resource_line"),
            models.Index(fields=["run"], condition=Q(held=False), name="resource_claim_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.resource} ({'held' if self.held else 'waiting'})"


class ToolHealth(models.Model):
    """What all workers know of a tool: how fast it may be called, and whether it fails again and again.

    It is not called before `open_until`; then one step, `probe`, finds out, and has until then.
    """

    tool = models.CharField(max_length=128, primary_key=True)
    allowance = models.FloatField(default=0.0)
    refilled_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)
    probe = models.UUIDField(null=True, blank=True)

    def __str__(self) -> str:
        return self.tool


class RunMessage(models.Model):
    """What a person tells a run: a message, a new goal, or that they take over. Journalled by the
    worker at the run's next safe point, in the order in which it was said."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=12, choices=_choices(MessageKind))
    text = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="run_messages"
    )
    sent_at = models.DateTimeField()
    journalled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["run", "sent_at"],
                condition=Q(journalled_at__isnull=True),
                name="run_message_new",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.run_id}"

"""Runs: one execution of one agent version on one input."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, OuterRef, Q, Value

from accounts.callers import Caller
from accounts.models import User
from agents.kill_switches import holds_whole, new_id
from agents.models.agent import AgentVersion, HostedAgent
from agents.models.fields import choices_of, groups_of, values_of
from agents.states import CLAIMABLE, ENDED, OPEN, Outcome, RunState, run_sources
from approvals.visibility import asks_visibly
from audit.writes import update


def sees_all_runs(user: User) -> bool:
    """Whoever may start any agent sees what came of it, for everybody."""
    return user.has_perm("accounts.read_everything") or user.has_perm("accounts.start_runs")


_RUN_SOURCES = {target: values_of(run_sources(target)) for target in RunState}


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: User) -> Self:
        """Own runs, runs of the agents one's groups own, runs that ask for something one may see, and
        everything for those who may read it."""
        if not user.is_active:
            return self.none()
        if sees_all_runs(user):
            return self.all()
        seen = Q(initiator=user) | Q(agent__owner_group__in=groups_of(user))
        return self.filter(seen | Q(asks_visibly(user, run=OuterRef("pk"))))

    def visible_for(self, caller: Caller) -> Self:
        """The same for who asks, whose groups are read once for a page: PostgreSQL takes longer to plan looking
        them up than to answer."""
        if not caller.user.is_active:
            return self.none()
        if sees_all_runs(caller.user):
            return self.all()
        seen = Q(initiator=caller.user) | Q(agent__owner_group__in=caller.group_ids)
        return self.filter(seen | Q(asks_visibly(caller, run=OuterRef("pk"))))

    def open(self) -> Self:
        return self.filter(state__in=OPEN)

    def real(self) -> Self:
        """Without the simulated ones: what counts wherever runs are counted, compared or learnt from."""
        return self.filter(simulated=False)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def newest_of(self, agent: Any) -> Self:
        """Those of one agent, given by its key, newest first.

        From and to that key, and not of it: a plan that is made for all agents would walk the newest runs of all of
        them, and of an agent that has few it walks a million to their end. So it walks those of the agent.
        """
        of_agent = self.filter(agent__gte=agent, agent__lte=agent)
        return of_agent.order_by("agent_id", "-created_at", "-id")

    def claimable(self, now: datetime) -> Self:
        """Runs that a worker may take now: not paused, and held by no kill switch."""
        return self.filter(
            Q(ready_at__isnull=True) | Q(ready_at__lte=now),
            ~holds_whole(OuterRef("agent_id"), OuterRef("under")),
            state__in=CLAIMABLE,
            paused_at__isnull=True,
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
    `unpriced_calls`: model calls of which nobody said what they cost, which `cost_micros` leaves out.
    `score_tokens_in`, `score_tokens_out`, `score_cost_micros`: what of the totals went into scores of calls.
    `goal`: the task as a person changed it last, empty while it is the input. `claimed_at` and
    `active_seconds` are kept by a trigger of the table: the seconds at work of all claims that are over.
    Of a run that another run delegated to, `delegated_by` is the call that started it, `deepest` the depth at
    which runs below it may stand, and `under` holds the keys of the agents above it, whose kill switches hold
    it too.
    `simulated`: its calls are answered from journals or files (`agents.simulation`); it reaches no tool, asks
    nobody and has no effects, and never becomes another. A fork is one: `forked_from` is the run whose first
    `fork_step` steps its journal begins with.
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
        max_length=12, choices=choices_of(RunState), default=RunState.QUEUED.value
    )
    outcome = models.CharField(max_length=12, choices=choices_of(Outcome), blank=True)
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
    delegated_by = models.OneToOneField(
        "Step", null=True, blank=True, on_delete=models.PROTECT, related_name="child"
    )
    deepest = models.PositiveSmallIntegerField(null=True, blank=True)
    under = ArrayField(
        models.BigIntegerField(),
        default=list,
        blank=True,
        db_default=Value([], ArrayField(models.BigIntegerField())),
    )
    undoes = models.ForeignKey(
        "EffectRecord", null=True, blank=True, on_delete=models.PROTECT, related_name="undo_runs"
    )
    simulated = models.BooleanField(default=False, db_default=False)
    forked_from = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="forks",
        db_index=False,
    )
    fork_step = models.PositiveIntegerField(null=True, blank=True)
    tainted = models.BooleanField(default=False)
    tainted_by = models.JSONField(default=list)
    extra_caps = models.JSONField(default=dict)
    step_count = models.PositiveIntegerField(default=0)
    model_calls = models.PositiveIntegerField(default=0)
    tool_calls = models.PositiveIntegerField(default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    cost_micros = models.PositiveBigIntegerField(default=0)
    unpriced_calls = models.PositiveIntegerField(default=0, db_default=0)
    score_tokens_in = models.PositiveBigIntegerField(default=0, db_default=0)
    score_tokens_out = models.PositiveBigIntegerField(default=0, db_default=0)
    score_cost_micros = models.PositiveBigIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    waited_seconds = models.FloatField(default=0.0)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    active_seconds = models.FloatField(default=0.0, db_default=0.0, editable=False)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["initiator", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="run_idempotency_key_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=values_of(RunState)), name="run_state_known"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=False, state__in=values_of(ENDED))
                | Q(finished_at__isnull=True, state__in=values_of(OPEN)),
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
            models.CheckConstraint(
                condition=Q(forked_from__isnull=True, fork_step__isnull=True)
                | Q(forked_from__isnull=False, fork_step__isnull=False, simulated=True),
                name="run_fork_is_simulated",
            ),
            models.CheckConstraint(
                condition=Q(simulated=False)
                | Q(
                    parent__isnull=True,
                    delegated_by__isnull=True,
                    undoes__isnull=True,
                    taken_over_at__isnull=True,
                ),
                name="run_simulated_stands_alone",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="run_newest"),
            # With the key, so that which ones are the newest is told by the index alone.
            models.Index(
                fields=["initiator", "-created_at", "-id"], name="run_of_initiator_newest"
            ),
            models.Index(fields=["agent", "-created_at", "-id"], name="run_of_agent_newest"),
            models.Index(fields=["state", "-created_at", "-id"], name="run_of_state"),
            # They are few among many.
            models.Index(
                fields=["-created_at", "-id"],
                condition=Q(simulated=True),
                name="run_simulated_newest",
            ),
            models.Index(
                fields=["ready_at"],
                condition=Q(state__in=["queued", "ready"]),
                name="run_claimable",
            ),
            models.Index(
                fields=["lease_expires_at"], condition=Q(state="running"), name="run_leased"
            ),
            models.Index(fields=["wake_at"], condition=Q(state="sleeping"), name="run_sleeping"),
            models.Index(
                fields=["forked_from", "-created_at"],
                condition=Q(forked_from__isnull=False),
                name="run_forks",
            ),
            models.Index(
                fields=["finished_at", "id"],
                condition=Q(finished_at__isnull=False),
                name="run_ended_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    def may_be_seen_by(self, caller: Caller) -> bool:
        """As `RunQuerySet.visible_for`, which is asked only where the run itself does not say so already."""
        user = caller.user
        if not user.is_active:
            return False
        if sees_all_runs(user) or self.initiator_id == user.pk:
            return True
        if self.agent.owner_group_id in caller.group_ids:
            return True
        return Run.objects.visible_for(caller).filter(pk=self.pk).exists()

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def is_copied(self, seq: int) -> bool:
        """Whether the step with that seq came with the journal of the run that this one is a fork of."""
        return self.fork_step is not None and seq <= self.fork_step

    @property
    def shown_tokens_in(self) -> int:
        """What people may read of the total while the run is open: without what went into scores, which may
        be secret until a person decided. The length of an objection would tell that there is one."""
        return self.tokens_in - (0 if self.ended else self.score_tokens_in)

    @property
    def shown_tokens_out(self) -> int:
        """As `shown_tokens_in`."""
        return self.tokens_out - (0 if self.ended else self.score_tokens_out)

    @property
    def shown_cost_micros(self) -> int:
        """As `shown_tokens_in`."""
        return self.cost_micros - (0 if self.ended else self.score_cost_micros)

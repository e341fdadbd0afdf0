"""Tables of evaluations: cases that people saved, evaluations, and how each of their cases turned out."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.models import User
from agents.kill_switches import new_id
from agents.models.fields import choices_of, groups_of, values_of
from evaluations.vocabulary import CaseState, EvaluationState

#: Whoever may operate an agent, or read everything, reads how it does.
_READERS = ("start_runs", "manage_agents", "read_everything")


def agents_of(user: User) -> Q:
    """The rows whose agent's evaluations the person may see: those who operate agents, and its owners."""
    if any(user.has_perm(f"accounts.{name}") for name in _READERS):
        return Q()
    return Q(agent__owner_group__in=groups_of(user))


class SavedCaseQuerySet(models.QuerySet["SavedCase"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(agents_of(user)) if user.is_active else self.none()

    def in_order(self) -> Self:
        return self.order_by("agent_id", "suite", "created_at", "id")


class SavedCase(models.Model):
    """A case of a suite that is kept here and not in a file. `document` is an `evaluations.schemas.Case`;
    `made_from` the run that it was made from."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey("agents.HostedAgent", on_delete=models.PROTECT, related_name="+")
    suite = models.CharField(max_length=63)
    name = models.CharField(max_length=120)
    document = models.JSONField()
    made_from = models.ForeignKey(
        "agents.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    version = models.PositiveIntegerField(default=1)
    saved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    saved_at = models.DateTimeField()

    objects = SavedCaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "suite", "name"], name="evaluation_case_name_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.suite}: {self.name}"


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(agents_of(user)) if user.is_active else self.none()

    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")


class Evaluation(models.Model):
    """A suite, played with one version of its agent.

    `suite_document` is the suite as it was then and `suite_digest` that of its canonical JSON; `source` the file
    it came from, empty for saved cases; `model` the model that was asked for in place of the version's own.
    `policy_version` is what the gate went by at the beginning. `lease_expires_at`: who plays it has said by then
    that it is alive. Sums are over all results; cost in micro-units, `seconds` those of runs at work.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey("agents.HostedAgent", on_delete=models.PROTECT, related_name="+")
    agent_version = models.ForeignKey(
        "agents.AgentVersion", on_delete=models.PROTECT, related_name="+"
    )
    suite = models.CharField(max_length=63)
    suite_digest = models.CharField(max_length=71)
    suite_document = models.JSONField()
    source = models.CharField(max_length=500, blank=True)
    model = models.CharField(max_length=200, blank=True)
    repeat = models.PositiveSmallIntegerField(default=1)
    policy_version = models.PositiveIntegerField(default=0)
    state = models.CharField(
        max_length=12,
        choices=choices_of(EvaluationState),
        default=EvaluationState.RUNNING.value,
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveIntegerField(default=1)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    cases = models.PositiveIntegerField()
    played = models.PositiveIntegerField(default=0)
    passed = models.PositiveIntegerField(default=0)
    steps = models.PositiveBigIntegerField(default=0)
    model_calls = models.PositiveBigIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    cost_micros = models.PositiveBigIntegerField(default=0)
    unpriced_calls = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=values_of(EvaluationState)), name="evaluation_state_known"
            ),
            # Half of a suite never counts as passed, whatever a process thinks when it is killed.
            models.CheckConstraint(
                condition=~Q(state=EvaluationState.PASSED.value)
                | Q(played=F("cases") * F("repeat"), passed=F("cases") * F("repeat")),
                name="evaluation_passed_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state=EvaluationState.FAILED.value)
                | Q(played=F("cases") * F("repeat")),
                name="evaluation_failed_whole",
            ),
            models.CheckConstraint(
                condition=Q(state=EvaluationState.RUNNING.value, finished_at__isnull=True)
                | (~Q(state=EvaluationState.RUNNING.value) & Q(finished_at__isnull=False)),
                name="evaluation_ended_with_time",
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="evaluation_newest"),
            models.Index(
                fields=["agent", "suite", "-started_at", "-id"], name="evaluation_of_suite"
            ),
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(state=EvaluationState.RUNNING.value),
                name="evaluation_running",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.suite} ({self.state})"

    @property
    def plays(self) -> int:
        """How many times a case is played in all."""
        return self.cases * self.repeat


class CaseResult(models.Model):
    """How one case turned out, one time; inserted with its run, and finished once.

    `script` is an `evaluations.script.Script`, from which the run's calls are answered. `problems` are
    `evaluations.checks.Problem`s; `place` counts the cases of the suite from 0, `attempt` from 1.
    """

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="results")
    place = models.PositiveSmallIntegerField()
    attempt = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120)
    state = models.CharField(
        max_length=12, choices=choices_of(CaseState), default=CaseState.PLAYING.value
    )
    script = models.JSONField(default=dict, blank=True)
    outcome = models.CharField(max_length=12, blank=True)
    problems = models.JSONField(default=list, blank=True)
    run = models.OneToOneField(
        "agents.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    steps = models.PositiveIntegerField(default=0)
    model_calls = models.PositiveIntegerField(default=0)
    tool_calls = models.PositiveIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    cost_micros = models.PositiveBigIntegerField(default=0)
    unpriced_calls = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0)
    models_reported = models.JSONField(default=list, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["evaluation", "place", "attempt"], name="evaluation_result_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=values_of(CaseState)), name="evaluation_result_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=CaseState.PASSED.value) | Q(problems=[]),
                name="evaluation_result_passed_clean",
            ),
            models.CheckConstraint(
                condition=Q(state=CaseState.PLAYING.value, finished_at__isnull=True)
                | (~Q(state=CaseState.PLAYING.value) & Q(finished_at__isnull=False)),
                name="evaluation_result_ended_with_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.attempt} ({self.state})"

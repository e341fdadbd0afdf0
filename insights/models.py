"""What is kept for figures: what each run came to, sums by day and month, and what people were alerted of.

All of it but corrections, thresholds and alerts is derived: it can be deleted, and is made again.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from uuid6 import uuid7

from insights.vocabulary import Failure, Measure, Result, Span


class Slice(models.Model):
    """What figures are told apart by: an agent, a version of it, its category, and a tool, empty for whole runs."""

    agent = models.CharField(max_length=100)
    version = models.CharField(max_length=100)
    category = models.CharField(max_length=20, blank=True)
    tool = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "version", "tool"], name="slice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.version[7:19]} {self.tool}".strip()


class RunFact(models.Model):
    """What one run that ended came to. `day` is the day of UTC on which it began.

    `assigned` is the class of failure by its journal, `failure` the one that holds: a person's, where somebody
    corrected it. `calls` are its calls as `[tool, how, problem, argument, number]`. Spans are milliseconds.
    `look_at`: what it did may still be corrected or come back, so it is looked at again then.
    """

    run = models.OneToOneField(
        "agents.Run", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    day = models.DateField()
    slice = models.ForeignKey(Slice, on_delete=models.PROTECT, related_name="+", db_index=False)
    result = models.CharField(max_length=10)
    provisional = models.BooleanField()
    assigned = models.CharField(max_length=20, blank=True)
    failure = models.CharField(max_length=20, blank=True)
    steps = models.PositiveIntegerField()
    band = models.CharField(max_length=8)
    cost_micros = models.PositiveBigIntegerField()
    unpriced = models.PositiveIntegerField()
    retries = models.PositiveIntegerField()
    interventions = models.PositiveIntegerField()
    intervened_ms = models.PositiveBigIntegerField(null=True)
    resolved_ms = models.PositiveBigIntegerField()
    worked_ms = models.PositiveBigIntegerField()
    calls = models.JSONField(default=list)
    look_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(result__in=[each.value for each in Result]), name="fact_result_known"
            ),
            models.CheckConstraint(
                condition=Q(failure__in=["", *(each.value for each in Failure)])
                & Q(assigned__in=["", *(each.value for each in Failure)]),
                name="fact_failure_known",
            ),
        ]
        indexes = [
            models.Index(fields=["day"], name="fact_of_day"),
            models.Index(fields=["failure", "day"], condition=~Q(failure=""), name="fact_failed"),
            models.Index(
                fields=["look_at"], condition=Q(look_at__isnull=False), name="fact_to_look_at"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.result}"


class Correction(models.Model):
    """The class of failure that a person gave a run, the last one that was given."""

    run = models.OneToOneField(
        "agents.Run", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    failure = models.CharField(max_length=20)
    corrected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    corrected_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(failure__in=[each.value for each in Failure]),
                name="correction_failure_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.failure}"


class Figure(models.Model):
    """A number and a sum of one day, or of one month, of a slice. See `Measure` for what they mean."""

    span = models.CharField(max_length=1)
    day = models.DateField()
    measure = models.CharField(max_length=12)
    slice = models.ForeignKey(Slice, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=80, blank=True)
    number = models.PositiveBigIntegerField()
    total = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                # By measure first: charts are of few of them. Whoever wants a day of all names all.
                fields=["span", "measure", "day", "slice", "key"],
                name="figure_once",
            ),
            models.CheckConstraint(
                condition=Q(span__in=[each.value for each in Span])
                & Q(measure__in=[each.value for each in Measure]),
                name="figure_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.span} {self.day} {self.measure} {self.key}: {self.number}"


class PersonFigure(models.Model):
    """What one person decided of the requests that were closed on one day of UTC.

    `risky`: of high or critical risk; of these `risky_approved`, and `fast` approved within three seconds of
    opening them, or without. `active_seconds` of the `timed` verdicts that say how long somebody looked.
    """

    day = models.DateField()
    slice = models.ForeignKey(Slice, on_delete=models.PROTECT, related_name="+", db_index=False)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    verdicts = models.PositiveIntegerField()
    approved = models.PositiveIntegerField()
    risky = models.PositiveIntegerField()
    risky_approved = models.PositiveIntegerField()
    fast = models.PositiveIntegerField()
    timed = models.PositiveIntegerField()
    active_seconds = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "slice", "person"], name="person_figure_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.person_id}: {self.verdicts}"


class Touched(models.Model):
    """A day or month whose figures are to be summed again, since something of it changed."""

    span = models.CharField(max_length=1)
    day = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["span", "day"], name="touched_once"),
        ]

    def __str__(self) -> str:
        return f"{self.span} {self.day}"


class Progress(models.Model):
    """How far gathering has come; one row. Whoever holds its lock gathers.

    `ended_until`, `ended_id`: runs that ended before were looked at. `decided_until`: the same of requests.
    `patrolled`: the day that was last summed again without a reason. `window_seconds` is how long a success
    could be corrected when it was counted; where the setting differs, all of it is counted again.
    """

    only = models.BooleanField(primary_key=True, default=True)
    ended_until = models.DateTimeField()
    ended_id = models.UUIDField()
    decided_until = models.DateTimeField()
    started_until = models.DateTimeField()
    patrolled = models.DateField(null=True)
    window_seconds = models.FloatField()
    caught_up_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(only=True), name="progress_only_one"),
        ]

    def __str__(self) -> str:
        return f"until {self.ended_until}"


class Thresholds(models.Model):
    """When the owner group of an agent is alerted; empty: as the settings say, and 0: never.

    `failure_percent` of the runs that ended, `cost_micros` for each success, `cost_times` as much as on the days
    before.
    """

    agent = models.OneToOneField(
        "agents.HostedAgent", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    failure_percent = models.PositiveSmallIntegerField(null=True)
    cost_micros = models.PositiveBigIntegerField(null=True)
    cost_times = models.FloatField(null=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"alerts of {self.agent_id}"


class Alert(models.Model):
    """That the owner group of an agent was told of something, once for each kind and day of UTC.

    `used` and `allowed`: percent, or millionths of the currency unit. `runs` is how many it was counted over.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey("agents.HostedAgent", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    day = models.DateField()
    used = models.PositiveBigIntegerField()
    allowed = models.PositiveBigIntegerField()
    runs = models.PositiveIntegerField()
    told_at = models.DateTimeField()
    mail_due_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "kind", "day"], name="alert_once_a_day"),
        ]
        indexes = [
            models.Index(fields=["-told_at", "-id"], name="alert_newest"),
            models.Index(
                fields=["mail_due_at"],
                condition=Q(mail_due_at__isnull=False),
                name="alert_mail_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.agent_id} on {self.day}"

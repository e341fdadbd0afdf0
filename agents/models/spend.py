"""What agents spend: a sum for each agent and day, and who was told that a budget comes to its end."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.kill_switches import new_id
from agents.models.agent import HostedAgent

SPANS = ("day", "month")
MEASURES = ("cost_micros", "tokens")


class AgentSpend(models.Model):
    """What the model calls of an agent took on one day of UTC.

    An agent's day is spread over a few rows, by its runs, so that workers that charge calls of different
    runs seldom wait for each other. Money in millionths of the currency unit.
    """

    agent = models.ForeignKey(HostedAgent, on_delete=models.PROTECT, related_name="spent")
    day = models.DateField()
    part = models.PositiveSmallIntegerField()
    calls = models.PositiveBigIntegerField(default=0)
    tokens = models.PositiveBigIntegerField(default=0)
    cost_micros = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "day", "part"], name="spend_of_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.day}"


class BudgetNotice(models.Model):
    """The owner group of an agent is told once that this share (80 or 100 %) of a budget is spent.

    `begins_on` is the first day of the span. `limit` and `used` are those of then. `mail_due_at`: people are
    still to be written to, looked after from that moment on.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(HostedAgent, on_delete=models.PROTECT, related_name="+")
    span = models.CharField(max_length=5)
    begins_on = models.DateField()
    measure = models.CharField(max_length=11)
    percent = models.PositiveSmallIntegerField()
    used = models.PositiveBigIntegerField()
    limit = models.PositiveBigIntegerField()
    told_at = models.DateTimeField()
    mail_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "span", "begins_on", "measure", "percent", "limit"],
                name="budget_notice_once",
            ),
            models.CheckConstraint(
                condition=Q(span__in=SPANS) & Q(measure__in=MEASURES), name="budget_notice_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["mail_due_at"],
                condition=Q(mail_due_at__isnull=False),
                name="budget_notice_mail_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.span} of {self.agent_id}"

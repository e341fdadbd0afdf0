"""What model servers say answered, for each agent and each model that it asks."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.kill_switches import new_id
from agents.models.agent import HostedAgent


class ReportedModel(models.Model):
    """A name that the server gave for the model `asked`; the first one that an agent saw is no change.

    `mail_due_at`: its owners are still to be mailed that it changed.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(HostedAgent, on_delete=models.CASCADE, related_name="reported_models")
    asked = models.CharField(max_length=200)
    reported = models.CharField(max_length=200)
    first_seen_at = models.DateTimeField()
    is_change = models.BooleanField()
    mail_due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "asked", "reported"], name="reported_model_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["mail_due_at"],
                condition=Q(mail_due_at__isnull=False),
                name="reported_model_mail_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.asked} answered as {self.reported}"

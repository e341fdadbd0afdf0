"""What people tell a run."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from agents.kill_switches import new_id
from agents.models.fields import choices_of
from agents.models.run import Run
from agents.states import MessageKind


class RunMessage(models.Model):
    """What a person tells a run: a message, a new goal, or that they take over. Journalled by the
    worker at the run's next safe point, in the order in which it was said."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=12, choices=choices_of(MessageKind))
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

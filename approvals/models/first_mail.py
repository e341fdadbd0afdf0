"""Who is still to be mailed about: a narrow row, so that no request is written anew when somebody is told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from approvals.states import RequestState


class FirstMailQuerySet(models.QuerySet["FirstMail"]):
    def due(self, by: datetime) -> Self:
        """Those of requests that wait and that are due by then."""
        return self.filter(due_at__lte=by, request__state=RequestState.PENDING)


class FirstMail(models.Model):
    """That people are still to be mailed about a request that was opened: gone once they were, and, by a trigger
    (migration 0016), once it can wait no more. What was approved before anybody was mailed may be taken back.

    `taken_at` is when a process began to tell of it; `due_at` is then when another one does, if it is still here.
    """

    request = models.OneToOneField(
        "ApprovalRequest", on_delete=models.CASCADE, primary_key=True, related_name="first_mail"
    )
    due_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)

    objects = FirstMailQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="approvals_firstmail_due")]

    def __str__(self) -> str:
        return f"{self.request_id} due at {self.due_at}"

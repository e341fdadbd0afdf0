"""In whose lists a request stands: a narrow copy, so that no list looks through a million wide rows."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Listing(models.Model):
    """That a request may concern a reader: a review group by its key, or a person by minus theirs.

    Triggers of the database keep it (migration 0013) for the request's owners, the groups that are asked, who
    started it, and who voted. It only narrows down what is looked at: whether somebody may see a request is
    said by `ApprovalRequestQuerySet.visible_to` alone, which every list asks too.
    `closed_at` is empty while the request waits. The rest are copies, for filters.
    """

    pk = models.CompositePrimaryKey("request_id", "reader")
    request = models.ForeignKey(
        "ApprovalRequest", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    reader = models.BigIntegerField()
    closed_at = models.DateTimeField(null=True)
    risk_rank = models.PositiveSmallIntegerField()
    agent = models.CharField(max_length=100)
    tool = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=12)

    class Meta:
        indexes = [
            models.Index(
                # As lists of what was decided are ordered, with what they are filtered by: a list is read
                # from the index alone.
                F("reader"),
                F("closed_at").desc(),
                F("request").desc(),
                *("risk_rank", "agent", "tool", "kind"),
                condition=Q(closed_at__isnull=False),
                name="approvals_listing_closed",
            ),
            models.Index(
                fields=["reader", "request"],
                condition=Q(closed_at__isnull=True),
                name="approvals_listing_waits",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.request_id} for {self.reader}"

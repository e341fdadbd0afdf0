"""What another app's reads may ask of requests without knowing their table."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from accounts.models import User
from approvals.models import ApprovalRequest


def asks_visibly(user: User, *, run: OuterRef) -> Exists:
    """Whether a run asked for something that the person may see: a condition for a query over runs."""
    return Exists(ApprovalRequest.objects.visible_to(user).filter(run_id=run))

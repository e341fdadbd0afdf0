"""What another app's reads may ask of requests without knowing their table."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from accounts.callers import Caller
from accounts.models import User
from approvals.desk import known_reader
from approvals.models import ApprovalRequest


def asks_visibly(who: User | Caller, *, run: OuterRef) -> Exists:
    """Whether a run asked for something that the person may see: a condition for a query over runs. Of a
    caller the groups are read before, of a person in the same query."""
    reader = known_reader(who) if isinstance(who, Caller) else who
    return Exists(ApprovalRequest.objects.visible_to(reader).filter(run_id=run))

"""What another app's pages may say of requests: a line each, and only what this caller may see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.callers import Caller
from approvals.desk import known_reader
from approvals.eligibility import hidden_arguments, withheld_from
from approvals.models import ApprovalRequest
from approvals.standing import standing_of
from approvals.states import RequestState


@dataclass(frozen=True)
class Glance:
    """One request in a line.

    `may_open`: whether the caller finds it at its own address. `title` is empty where they do not, or
    where it could tell an argument that they may not see. `standing` says who closed it and how
    ("rejected by …"), empty while it is pending.
    """

    id: UUID
    kind: str
    state: str
    revision: int
    title: str
    may_open: bool
    standing: str
    opened_at: datetime
    decided_at: datetime | None
    ready_at: datetime | None
    review_deadline: datetime | None


def glances(requests: Collection[UUID], caller: Caller) -> dict[UUID, Glance]:
    """The requests with these ids, by id. Two queries, however many there are."""
    if not requests:
        return {}
    visible = set(
        ApprovalRequest.objects.visible_to(known_reader(caller))
        .filter(pk__in=requests)
        .values_list("pk", flat=True)
    )
    rows = (
        ApprovalRequest.objects.filter(pk__in=requests)
        .select_related("decided_by")
        .defer("evidence", "schema", "gate_context", "rationale")
    )
    return {row.pk: _glance(row, caller, may_open=row.pk in visible) for row in rows}


def _glance(request: ApprovalRequest, caller: Caller, *, may_open: bool) -> Glance:
    pending = request.state == RequestState.PENDING
    tells = may_open and not hidden_arguments(request, caller, listed=True)
    return Glance(
        id=request.pk,
        kind=str(request.kind),
        state=str(request.state),
        revision=request.revision,
        title=withheld_from(request, caller, listed=True).text(request.title) if tells else "",
        may_open=may_open,
        standing="" if pending else standing_of(request).sentence,
        opened_at=request.created_at,
        decided_at=request.decided_at,
        ready_at=request.ready_at,
        review_deadline=request.review_deadline,
    )

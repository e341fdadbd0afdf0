"""What another app's pages may say of requests: a line each, and only what this caller may see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from accounts.callers import Caller
from approvals.desk import known_reader
from approvals.eligibility import hidden_arguments, withheld_from
from approvals.lists import STAND_INS, Shape, any_reader, given_of, kind_of, with_lists
from approvals.models import ApprovalRequest
from approvals.standing import standing_of
from approvals.states import RequestState
from audit.prepared import Prepared, PreparedValues


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
    reader, ids = known_reader(caller), list(requests)
    visible = {row["pk"] for row in _visible(kind_of(reader))(*given_of(reader), ids)}
    return {row.pk: _glance(row, caller, may_open=row.pk in visible) for row in _told(ids)}


@cache
def _visible(kind: Shape) -> PreparedValues:
    """Those of the requests that a reader of this kind may open."""

    def build(person: int, group: int, own: int, request: UUID) -> QuerySet[Any, Any]:
        seen = ApprovalRequest.objects.visible_to(any_reader(kind, person, group, own))
        return seen.filter(pk__in=[request]).values("pk")

    return PreparedValues(build, *STAND_INS, UUID(int=0), rewrite=with_lists)


# A request has many columns, and most of them are large.
_told = Prepared(
    lambda request: (
        ApprovalRequest.objects.filter(pk__in=[request])
        .select_related("decided_by")
        .only(
            *("kind", "state", "revision", "title", "sensitive", "withheld", "arguments"),
            *("question", "resolution", "created_at", "decided_at", "ready_at"),
            *("review_deadline", "decided_by__username", "decided_by__display_name"),
        )
    ),
    UUID(int=0),
    rewrite=with_lists,
)


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

"""Show: that a person opened a request, once for each revision."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from approvals import eligibility
from approvals.errors import RequestUnknown
from approvals.models import ApprovalRequest, Viewing, reader_of
from approvals.records import record_request
from approvals.states import RequestState
from audit.prepared import Prepared

_JOINED = ("owner_group", "initiator", "decided_by", "claimed_by", "barred_editor")
_any = Prepared(
    lambda pk: ApprovalRequest.objects.filter(pk=pk).select_related(*_JOINED), UUID(int=0)
)
_concerning = Prepared(
    lambda person, pk: (
        ApprovalRequest.objects.concerning(person).filter(pk=pk).select_related(*_JOINED)
    ),
    -1,
    UUID(int=0),
)


def found_for(*, request_id: UUID, caller: Caller) -> ApprovalRequest:
    """The request for whoever does something to it, which is not to look at it; records nothing.

    Raises `RequestUnknown` when there is none that the caller may see.
    """
    reader = reader_of(caller.user)
    if reader is None:
        raise RequestUnknown(request_id)
    sees_all = reader.reads_everything
    request = _any.one(request_id) if sees_all else _concerning.one(reader.pk, request_id)
    if request is None:
        raise RequestUnknown(request_id)
    return request


def show_to(*, request_id: UUID, caller: Caller) -> ApprovalRequest:
    """The request for a page that renders it; the first look at a pending revision is recorded.

    Each look of an auditor at sensitive arguments is recorded. Raises `RequestUnknown` when there is
    none that the caller may see.
    """
    request = found_for(request_id=request_id, caller=caller)
    if eligibility.looks_on_record(request, caller):
        with transaction.atomic():
            record_request(request, "request.sensitive_read", caller.actor)
    if request.state != RequestState.PENDING:
        return request
    if eligibility.opened_at(request, caller) is not None:
        return request
    look: dict[str, Any] = {"request": request, "revision": request.revision, "user": caller.user}
    with transaction.atomic():
        # Two tabs may open it at once: the constraint lets one of them in.
        _, first = Viewing.objects.get_or_create(**look)
        if first:
            record_request(request, "request.shown", caller.actor, content=True)
    return request

"""Locks, always in one order: run, then request, then the rest; the log's stream last."""

from __future__ import annotations

from uuid import UUID

from accounts.callers import Caller
from approvals import ports
from approvals.errors import RequestUnknown
from approvals.models import ApprovalRequest


def locked_for(request_id: UUID, caller: Caller) -> ApprovalRequest:
    """The request, locked together with its run until the transaction ends.

    Raises `RequestUnknown` when there is none that the caller may see.
    """
    seen = ApprovalRequest.objects.visible_to(caller.user).filter(pk=request_id)
    found = seen.values_list("run_id").first()
    if found is None:
        raise RequestUnknown(request_id)
    return _locked(request_id, found[0])


def locked(request_id: UUID) -> ApprovalRequest:
    """The request, locked together with its run; raises `RequestUnknown`."""
    found = ApprovalRequest.objects.filter(pk=request_id).values_list("run_id").first()
    if found is None:
        raise RequestUnknown(request_id)
    return _locked(request_id, found[0])


def _locked(request_id: UUID, run_id: UUID | None) -> ApprovalRequest:
    if run_id is not None:
        ports.runs().lock(run_id)
    try:
        return ApprovalRequest.objects.select_for_update(of=("self",)).get(pk=request_id)
    except ApprovalRequest.DoesNotExist as error:
        raise RequestUnknown(request_id) from error

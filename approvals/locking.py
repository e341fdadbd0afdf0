"""Locks, always in one order: run, then request, then the rest; the log's stream last.

Runs and requests are locked *for no key update*, here and wherever else that is done. What refers to them (a look,
a comment, a step) is checked only when its transaction commits, and so after the log's stream: a check that waited
for whoever holds the row, who waits for the stream, would be a deadlock.
"""

from __future__ import annotations

from time import monotonic
from typing import Final
from uuid import UUID

from django.db.models import Subquery

from accounts.callers import Caller
from approvals import ports
from approvals.errors import RequestUnknown
from approvals.models import ApprovalRequest, PolicyVersion
from approvals.vocabulary import Kind
from audit.keyring import key_of, put_at_hand
from audit.prepared import CLOCK, Prepared, locking_first

#: Whoever waited for longer may have lost a right meanwhile.
WAITED_SECONDS: Final = 0.1

_any = Prepared(lambda pk: ApprovalRequest.objects.filter(pk=pk).only("run_id"), UUID(int=0))
_concerning = Prepared(
    lambda person, pk: ApprovalRequest.objects.concerning(person).filter(pk=pk).only("run_id"),
    -1,
    UUID(int=0),
)
_newest_policy = Subquery(
    PolicyVersion.objects.published().order_by("-number").values("number")[:1]
)
_to_lock = Prepared(
    lambda: ApprovalRequest.objects.annotate(
        read_at=CLOCK, newest_policy=_newest_policy, subject_key=key_of("request")
    ).order_by(),
    rewrite=locking_first(ApprovalRequest),
)


def locked_for(request_id: UUID, caller: Caller) -> ApprovalRequest:
    """The request, locked together with its run until the transaction ends, read with the clock.

    Raises `RequestUnknown` when there is none that the caller may see. Where others held it for a while, the
    caller's rights are those of afterwards.
    """
    began = monotonic()
    request = _locked(request_id, _seen(request_id, caller))
    if monotonic() - began > WAITED_SECONDS:
        caller.look_again()
        if _seen(request_id, caller) is None:
            raise RequestUnknown(request_id)
    return request


def _seen(request_id: UUID, caller: Caller) -> ApprovalRequest | None:
    user = caller.user
    if not user.is_active:
        return None
    everything = user.has_perm("accounts.read_everything")
    return _any.one(request_id) if everything else _concerning.one(user.pk, request_id)


def locked(request_id: UUID) -> ApprovalRequest:
    """The request, locked together with its run, read with the clock; raises `RequestUnknown`."""
    return _locked(request_id, _any.one(request_id))


def is_judged_by_now(request: ApprovalRequest) -> bool:
    """Whether a request that was locked here was judged by the policy in force when it was read."""
    newest: int | None = vars(request)["newest_policy"]
    return request.kind != Kind.ACTION or request.checked_version >= (newest or 0)


def _locked(request_id: UUID, found: ApprovalRequest | None) -> ApprovalRequest:
    if found is None:
        raise RequestUnknown(request_id)
    if found.run_id is not None:
        ports.runs().lock(found.run_id)
    request = _to_lock.one(before=[request_id])
    if request is None:
        raise RequestUnknown(request_id)
    put_at_hand(f"request:{request_id}", request)
    return request

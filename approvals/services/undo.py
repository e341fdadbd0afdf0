"""Undo: take an approval back before it is used."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals import eligibility, events, ports
from approvals.errors import NothingToUndo
from approvals.locking import locked_for
from approvals.models import ApprovalRequest, Vote
from approvals.records import record_request
from approvals.services.sticky import revoke_granted_from
from approvals.signals import Resolution, request_resolved
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.vocabulary import Verdict
from approvals.voting import wait_again
from audit.clock import database_now
from audit.schemas import Outcome


@dataclass(frozen=True)
class Undone:
    """The request as it waits again."""

    request_id: UUID
    state: RequestState
    revision: int
    version: int


def undo(*, request_id: UUID, caller: Caller) -> Undone:
    """Take the approval back: the request waits again, all its votes are void, and what was made sticky of it ends.

    Its approvers may, and whoever may decide it. Raises `NothingToUndo` (a Conflict that says where
    the operation stands) when it is no approval or has been used already.
    """
    with transaction.atomic():
        request = locked_for(request_id, caller)
        _require(request, caller)
        if request.state != RequestState.APPROVED:
            raise _nothing(request)
        if not wait_again(request, database_now()):
            raise _nothing(request)
        record_request(
            request,
            "request.undone",
            caller.actor,
            outcome=Outcome(decision="undo"),
            facts={"why": "taken_back"},
        )
        revoke_granted_from(request, caller)
        request_resolved.send(
            sender=ApprovalRequest,
            request=request,
            resolution=Resolution("undone", RequestState.PENDING),
        )
        events.announce(request, "undone")
        return Undone(request.pk, RequestState(request.state), request.revision, request.version)


def _require(request: ApprovalRequest, caller: Caller) -> None:
    approved = Vote.objects.filter(
        request=request, revision=request.revision, user=caller.user, counts=True
    ).exists()
    if approved:
        caller.require("decide_requests", scope="decide")
        return
    groups = list(request.request_groups.select_related("group"))
    # Taking back is like rejecting: who may not see an argument may still do it.
    eligibility.require(request, groups, caller, Verdict.REJECT)


def _nothing(request: ApprovalRequest) -> NothingToUndo:
    operation = ports.runs().operations([request]).get(request.pk)
    if request.state == RequestState.CONSUMED:
        standing = operation.sentence if operation else gettext("The action has been started.")
    elif request.state == RequestState.PENDING:
        standing = gettext("The request waits for a verdict already.")
    else:
        standing = gettext("The request was {sentence}; only approvals are taken back.").format(
            sentence=standing_of(request).sentence
        )
    return NothingToUndo(state=request.state, standing=standing)

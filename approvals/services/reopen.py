"""Reopen: an approval no longer covers what would happen, so it is decided again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection

from approvals import events
from approvals.deadlines import start_over
from approvals.errors import NotConsumable, RequestUnknown
from approvals.models import ApprovalRequest
from approvals.records import record_request
from approvals.revisions import keep_revision
from approvals.schemas import Preview, Reason
from approvals.services.first_mails import mail_anew
from approvals.showing import show
from approvals.standing import already_decided, standing_of
from approvals.states import RequestState
from approvals.voting import wait_again
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import NoTransaction
from audit.schemas import Outcome


def reopen(
    request: ApprovalRequest,
    *,
    actor: Actor,
    reason: Reason,
    preview: Preview | None = None,
    **changes: Any,
) -> ApprovalRequest:
    """Make a locked, approved request pending again, as its next revision with all votes void.

    Inside the caller's transaction, which holds the run's lock. `reason` says why (`world_changed`
    with `what`, or `policy_tighter` with `version`) and stands among the request's reasons;
    `preview` is the one of now; `changes` are further fields of the new revision. The run is not
    told: its worker is the caller.
    """
    now = database_now()
    if not wait_again(request, now):
        raise already_decided(request)
    for name, value in changes.items():
        setattr(request, name, value)
    request.revision += 1
    request.reasons = [
        *(r for r in request.reasons if r.get("code") != reason.code),
        reason.model_dump(mode="json"),
    ]
    if preview is not None:
        request.preview = preview.model_dump(mode="json")
        request.title = preview.title[:500]
    start_over(request, now)
    shown, request.shown_sha256 = show(request)
    request.save()
    mail_anew(request, now)
    keep_revision(request, shown, why=reason.code)
    record_request(
        request,
        "request.undone",
        actor,
        outcome=Outcome(decision="reopen", reason_code=reason.code),
        facts={"why": reason.code, "review_deadline": request.review_deadline},
        content=True,
    )
    events.announce(request, "undone")
    return request


def reopen_changed(
    *, request_id: UUID, revision: int, preview: Preview, what: str, actor: Actor
) -> ApprovalRequest:
    """Send an approved action back to people because the world they saw has changed.

    Inside the caller's transaction, which holds the run's lock. `preview` is the one of now, `what`
    a sentence. Raises `RequestUnknown`, and `NotConsumable` for another state or revision.
    """
    if not connection.in_atomic_block:
        raise NoTransaction
    request = (
        ApprovalRequest.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk=request_id)
        .first()
    )
    if request is None:
        raise RequestUnknown(request_id)
    if request.state != RequestState.APPROVED or request.revision != revision:
        raise NotConsumable(
            f"There is no approval of this revision: {standing_of(request).sentence}.",
            state=request.state,
            revision=request.revision,
        )
    reason = Reason(code="world_changed", params={"what": what})
    return reopen(request, actor=actor, reason=reason, preview=preview)

"""Requests for programs: `/api/v1/approvals`."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from ninja import Router, Status
from pydantic import Field

from accounts.confirmations import confirmation_of
from accounts.doors import signed_in
from accounts.problems import document_of
from approvals.answers import (
    ApprovalList,
    ApprovalOut,
    BatchOut,
    ClaimOut,
    CommentOut,
    DecisionOut,
    ExtendedOut,
    SnoozedOut,
    UndoneOut,
)
from approvals.api.shapes import Body
from approvals.batches import MOST
from approvals.errors import SecondFactorRequired
from approvals.models import ApprovalRequest
from approvals.representations import as_json, summary
from approvals.schemas import DecisionIn
from approvals.services.claim import claim, release
from approvals.services.comment import comment
from approvals.services.decide import Decided, decide
from approvals.services.decide_batch import BatchItem, decide_batch
from approvals.services.extend import extend
from approvals.services.show import show_to
from approvals.services.snooze import MOST_HOURS, snooze, wake
from approvals.services.undo import undo
from approvals.states import RequestState
from approvals.vocabulary import Kind
from audit.paging import page

router = Router(tags=["approvals"])

JOINED = ("owner_group", "initiator", "claimed_by", "decided_by")


class ExtendIn(Body):
    """By how many hours."""

    hours: int = Field(ge=1, le=24 * 90)


class SnoozeIn(Body):
    """For how many hours."""

    hours: int = Field(ge=1, le=MOST_HOURS)


class CommentIn(Body):
    """What to write."""

    body: str = Field(min_length=1, max_length=5_000)


class BatchItemIn(DecisionIn):
    """A decision with the request that it is on."""

    id: UUID


class BatchIn(Body):
    """Decisions on requests of one agent and tool, of low or medium risk, each bound to what was read."""

    items: Annotated[list[BatchItemIn], Field(min_length=1, max_length=MOST)]


@router.get("approvals", response=ApprovalList, operation_id="list_approvals", summary="Requests")
def list_approvals(
    request: HttpRequest,
    state: RequestState | None = None,
    kind: Kind | None = None,
    agent: str | None = None,
    run: UUID | None = None,
    decidable: bool = False,
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """The requests that the caller may see, newest first; `decidable` keeps those they may decide."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    rows = ApprovalRequest.objects.visible_to(caller.user)
    if decidable:
        rows = rows & ApprovalRequest.objects.decidable_by(caller.user)
    wanted = {"state": state, "kind": kind, "agent": agent, "run_id": run}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    found = page(rows.select_related(*JOINED), cursor=cursor, limit=limit)
    return {
        "items": [summary(row, caller, listed=True) for row in found.items],
        "next_cursor": found.next_cursor,
    }


@router.get(
    "approvals/{uuid:request_id}",
    response=ApprovalOut,
    by_alias=True,
    operation_id="read_approval",
    summary="One request",
)
def read_approval(request: HttpRequest, request_id: UUID) -> dict[str, Any]:
    """The request as the caller may see it, with all that a decision has to bring back."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    return as_json(show_to(request_id=request_id, caller=caller), caller)


@router.post(
    "approvals/{uuid:request_id}/decisions",
    response=DecisionOut,
    operation_id="decide",
    summary="Decide",
)
def post_decision(request: HttpRequest, request_id: UUID, decision: DecisionIn) -> dict[str, Any]:
    """Take the caller's verdict. The same nonce again gets the same answer, with `replayed`.

    Where the request asks for a second factor, a token is refused; a session is sent to `confirm_url`.
    """
    caller = signed_in(request)
    confirmed = confirmation_of(request)
    try:
        return _decided(
            decide(request_id=request_id, decision=decision, caller=caller, second_factor=confirmed)
        )
    except SecondFactorRequired as refusal:
        if caller.is_token:
            raise
        page = reverse("request-detail", kwargs={"pk": request_id})
        way = f"{reverse('second-factor-confirm')}?{urlencode({'next': page})}"
        raise SecondFactorRequired(f"{settings.COUNTERSIGN.address}{way}") from refusal


@router.post(
    "approvals/decisions",
    response=BatchOut,
    operation_id="decide_batch",
    summary="Decide several",
)
def post_decisions(request: HttpRequest, batch: BatchIn) -> dict[str, Any]:
    """Take each verdict on its own: every item has what a decision answers, or a problem document."""
    items = [
        BatchItem(item.id, DecisionIn.model_validate(item.model_dump(exclude={"id"})))
        for item in batch.items
    ]
    return {
        "items": [
            {
                "id": str(each.request_id),
                "decision": _decided(each.decided) if each.decided else None,
                "problem": document_of(each.refusal, instance=f"{request.path}#{each.request_id}")
                if each.refusal
                else None,
            }
            for each in decide_batch(items=items, caller=signed_in(request))
        ]
    }


@router.post(
    "approvals/{uuid:request_id}/undo", response=UndoneOut, operation_id="undo", summary="Take back"
)
def post_undo(request: HttpRequest, request_id: UUID) -> dict[str, Any]:
    """Take an approval back before it is used."""
    undone = undo(request_id=request_id, caller=signed_in(request))
    return {
        "request": str(undone.request_id),
        "state": undone.state.value,
        "revision": undone.revision,
        "version": undone.version,
    }


@router.post(
    "approvals/{uuid:request_id}/extend",
    response=ExtendedOut,
    operation_id="extend",
    summary="Extend",
)
def post_extend(request: HttpRequest, request_id: UUID, body: ExtendIn) -> dict[str, Any]:
    """Move the review deadline."""
    until = extend(request_id=request_id, hours=body.hours, caller=signed_in(request))
    return {"request": str(request_id), "review_deadline": until.isoformat()}


@router.post(
    "approvals/{uuid:request_id}/comments",
    response={201: CommentOut},
    operation_id="comment",
    summary="Comment",
)
def post_comment(request: HttpRequest, request_id: UUID, body: CommentIn) -> Status[dict[str, Any]]:
    """Write under the request."""
    written = comment(request_id=request_id, body=body.body, caller=signed_in(request))
    return Status(
        201,
        {
            "id": str(written.pk),
            "author": written.author.username,
            "body": written.body,
            "created_at": written.created_at.isoformat(),
        },
    )


@router.post(
    "approvals/{uuid:request_id}/claim", response=ClaimOut, operation_id="claim", summary="Claim"
)
def post_claim(request: HttpRequest, request_id: UUID, take_over: bool = False) -> dict[str, Any]:
    """Say "I am looking at this", or renew it; `take_over` takes it from whoever holds it."""
    held = claim(request_id=request_id, caller=signed_in(request), take_over=take_over)
    return {
        "request": str(held.request_id),
        "by": held.holder,
        "until": held.expires_at.isoformat(),
        "taken_from": held.taken_from,
    }


@router.delete(
    "approvals/{uuid:request_id}/claim",
    response={204: None},
    operation_id="release",
    summary="Release",
)
def delete_claim(request: HttpRequest, request_id: UUID) -> Status[None]:
    """Give one's own claim back."""
    release(request_id=request_id, caller=signed_in(request))
    return Status(204, None)


@router.post(
    "approvals/{uuid:request_id}/snooze",
    response=SnoozedOut,
    operation_id="snooze",
    summary="Snooze",
)
def post_snooze(request: HttpRequest, request_id: UUID, body: SnoozeIn) -> dict[str, Any]:
    """Leave the request out of the caller's own lists; its deadline and other people's lists stay.

    It is back half an hour before its deadline at the latest, and as soon as something else is asked.
    """
    until = snooze(request_id=request_id, hours=body.hours, caller=signed_in(request))
    return {"request": str(request_id), "until": until.isoformat()}


@router.delete(
    "approvals/{uuid:request_id}/snooze",
    response={204: None},
    operation_id="wake",
    summary="End a snooze",
)
def delete_snooze(request: HttpRequest, request_id: UUID) -> Status[None]:
    """Take the request back into the caller's own lists; 204 too where it was not left out."""
    wake(request_id=request_id, caller=signed_in(request))
    return Status(204, None)


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "request": str(decided.request_id),
        "decision": str(decided.vote_id),
        "verdict": decided.verdict.value,
        "state": decided.state.value,
        "revision": decided.revision,
        "version": decided.version,
        "decided_at": decided.decided_at.isoformat(),
        "ready_at": decided.ready_at.isoformat() if decided.ready_at else None,
        "remaining": decided.remaining,
        "replayed": decided.replayed,
    }

"""Sticky approvals over the API."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import BaseModel, ConfigDict, Field

from accounts.doors import signed_in
from approvals.answers import (
    StickyList,
    StickyOut,
)
from approvals.eligibility import require_policy_reader
from approvals.models import StickyApproval
from approvals.representations import sticky_as_json
from approvals.services.sticky import grant_sticky, revoke_sticky
from audit.paging import page

router = Router(tags=["policies"])


class StickyIn(BaseModel):
    """For each argument whether it stays the `same` (unless said otherwise), is `at_most` what it was,
    or may be `any`."""

    model_config = ConfigDict(extra="forbid")

    constraints: dict[str, Literal["same", "at_most", "any"]] = Field(default_factory=dict)
    hours: float = Field(gt=0, le=24 * 90)
    why: str = Field(min_length=1, max_length=2_000)


@router.get(
    "sticky-approvals",
    response=StickyList,
    operation_id="list_sticky_approvals",
    summary="Sticky approvals",
)
def list_sticky_approvals(
    request: HttpRequest,
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """What runs by itself because somebody said so, and what did, the newest first."""
    caller = signed_in(request)
    require_policy_reader(caller)
    rows = StickyApproval.objects.select_related("granted_by", "revoked_by")
    found = page(rows, order=("-granted_at", "-id"), cursor=cursor, limit=limit)
    return {
        "items": [sticky_as_json(row, caller) for row in found.items],
        "next_cursor": found.next_cursor,
    }


@router.post(
    "approvals/{uuid:request_id}/sticky",
    response={201: StickyOut},
    operation_id="grant_sticky_approval",
    summary="Let calls like this one run",
)
def post_sticky(request: HttpRequest, request_id: UUID, body: StickyIn) -> Status[dict[str, Any]]:
    """Let calls like this approved one run by themselves for a while."""
    caller = signed_in(request)
    granted = grant_sticky(
        request_id=request_id,
        constraints=body.constraints,
        hours=body.hours,
        why=body.why,
        caller=caller,
    )
    return Status(201, sticky_as_json(granted, caller))


@router.post(
    "sticky-approvals/{uuid:sticky_id}/revoke",
    response=StickyOut,
    operation_id="revoke_sticky_approval",
    summary="End a sticky approval",
)
def post_revoke_sticky(request: HttpRequest, sticky_id: UUID) -> dict[str, Any]:
    """End it at once."""
    caller = signed_in(request)
    return sticky_as_json(revoke_sticky(sticky_id=sticky_id, caller=caller), caller)

"""Approvals and policies for programs: `/api/v1/approvals` and `/api/v1/policies`."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel, ConfigDict, Field

from accounts.doors import signed_in
from approvals.errors import BadBody, PolicyUnknown
from approvals.models import ApprovalRequest, PolicyVersion
from approvals.policies import Policy
from approvals.representations import as_json, policy_as_json, summary
from approvals.schemas import DecisionIn
from approvals.services import policies, publish
from approvals.services.claim import claim, release
from approvals.services.comment import comment
from approvals.services.decide import Decided, decide
from approvals.services.extend import extend
from approvals.services.show import show_to
from approvals.services.undo import undo
from approvals.states import RequestState
from approvals.vocabulary import Kind, Risk
from audit.paging import page

router = Router(tags=["approvals"])

JOINED = ("owner_group", "initiator", "claimed_by", "decided_by")


class Body(BaseModel):
    """Base of what is posted here: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class ExtendIn(Body):
    """By how many hours."""

    hours: int = Field(ge=1, le=24 * 90)


class CommentIn(Body):
    """What to write."""

    body: str = Field(min_length=1, max_length=5_000)


class ClaimIn(Body):
    """`take_over` takes it from whoever holds it."""

    take_over: bool = False


class ThresholdIn(Body):
    """One threshold to set; None takes it out. No risk, agent or tool: the default."""

    value: Annotated[float, Field(ge=0, le=1)] | None
    risk: Risk | None = None
    agent: str | None = None
    tool: str | None = None


class DraftIn(Body):
    """A whole document, or changes of thresholds to the base version's."""

    base_version: int = Field(ge=1)
    document: dict[str, Any] | None = None
    thresholds: list[ThresholdIn] = Field(default_factory=list, max_length=200)
    why: str = Field(default="", max_length=2_000)


class PublishIn(Body):
    """Why; empty takes the draft's own words."""

    why: str = Field(default="", max_length=2_000)


@router.get("approvals", operation_id="list_approvals", summary="Requests")
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
        "items": [summary(row, caller) for row in found.items],
        "next_cursor": found.next_cursor,
    }


@router.get("approvals/{uuid:request_id}", operation_id="read_approval", summary="One request")
def read_approval(request: HttpRequest, request_id: UUID) -> dict[str, Any]:
    """The request as the caller may see it, with all that a decision has to bring back."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    return as_json(show_to(request_id=request_id, caller=caller), caller)


@router.post("approvals/{uuid:request_id}/decisions", operation_id="decide", summary="Decide")
def post_decision(request: HttpRequest, request_id: UUID, decision: DecisionIn) -> dict[str, Any]:
    """Take the caller's verdict. The same nonce again gets the same answer, with `replayed`."""
    return _decided(decide(request_id=request_id, decision=decision, caller=signed_in(request)))


@router.post("approvals/{uuid:request_id}/undo", operation_id="undo", summary="Take back")
def post_undo(request: HttpRequest, request_id: UUID) -> dict[str, Any]:
    """Take an approval back before it is used."""
    undone = undo(request_id=request_id, caller=signed_in(request))
    return {
        "request": str(undone.request_id),
        "state": undone.state.value,
        "revision": undone.revision,
        "version": undone.version,
    }


@router.post("approvals/{uuid:request_id}/extend", operation_id="extend", summary="Extend")
def post_extend(request: HttpRequest, request_id: UUID, body: ExtendIn) -> dict[str, Any]:
    """Move the review deadline."""
    until = extend(request_id=request_id, hours=body.hours, caller=signed_in(request))
    return {"request": str(request_id), "review_deadline": until.isoformat()}


@router.post(
    "approvals/{uuid:request_id}/comments",
    response={201: dict[str, Any]},
    operation_id="comment",
    summary="Comment",
)
def post_comment(request: HttpRequest, request_id: UUID, body: CommentIn) -> Any:
    """Write under the request."""
    written = comment(request_id=request_id, body=body.body, caller=signed_in(request))
    return 201, {
        "id": str(written.pk),
        "author": written.author.username,
        "body": written.body,
        "created_at": written.created_at.isoformat(),
    }


@router.post("approvals/{uuid:request_id}/claim", operation_id="claim", summary="Claim")
def post_claim(
    request: HttpRequest, request_id: UUID, body: ClaimIn | None = None
) -> dict[str, Any]:
    """Say "I am looking at this", or renew it; advisory."""
    take_over = body.take_over if body is not None else False
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
def delete_claim(request: HttpRequest, request_id: UUID) -> Any:
    """Give one's own claim back."""
    release(request_id=request_id, caller=signed_in(request))
    return 204, None


@router.get("policies", tags=["policies"], operation_id="list_policies", summary="Policies")
def list_policies(
    request: HttpRequest,
    state: Literal["published", "draft"] | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Published versions and drafts, newest first, without their documents."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    rows = PolicyVersion.objects.select_related("author", "published_by")
    if state is not None:
        rows = rows.filter(state=state)
    if not caller.holds("publish_policies"):
        rows = rows.filter(state=PolicyVersion.State.PUBLISHED)
    in_force = policies.current().version
    found = page(rows, order=("-id",), cursor=cursor, limit=limit)
    return {
        "items": [policy_as_json(row, in_force=in_force, whole=False) for row in found.items],
        "next_cursor": found.next_cursor,
    }


@router.get(
    "policies/{int:version}", tags=["policies"], operation_id="read_policy", summary="One policy"
)
def read_policy(request: HttpRequest, version: int) -> dict[str, Any]:
    """A published version with its whole document."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    row = (
        PolicyVersion.objects.published()
        .select_related("author", "published_by")
        .filter(number=version)
        .first()
    )
    if row is None:
        raise PolicyUnknown(version)
    return policy_as_json(row, in_force=policies.current().version)


@router.post(
    "policies/drafts",
    tags=["policies"],
    response={201: dict[str, Any]},
    operation_id="draft_policy",
    summary="Draft",
)
def post_draft(request: HttpRequest, body: DraftIn) -> Any:
    """Keep a draft: a whole document, or thresholds to change in the base version."""
    caller = signed_in(request)
    caller.require("publish_policies", scope="admin")
    if (body.document is None) == (not body.thresholds):
        raise BadBody(
            [{"field": "document", "message": "send a document, or thresholds to change"}]
        )
    document: dict[str, Any] | Policy
    if body.document is not None:
        document = body.document
    else:
        document = policies.version(body.base_version).policy
        for line in body.thresholds:
            document = document.with_threshold(
                line.value, risk=line.risk, agent=line.agent, tool=line.tool
            )
    kept = publish.draft(
        document=document, base_version=body.base_version, caller=caller, why=body.why
    )
    return 201, policy_as_json(kept, in_force=policies.current().version)


@router.post(
    "policies/drafts/{int:draft_id}/publish",
    tags=["policies"],
    operation_id="publish_draft",
    summary="Publish",
)
def post_publish(request: HttpRequest, draft_id: int, body: PublishIn) -> dict[str, Any]:
    """Make the draft the policy in force, unless another was published since it began."""
    caller = signed_in(request)
    published = publish.publish_draft(draft_id=draft_id, caller=caller, why=body.why)
    row = PolicyVersion.objects.select_related("author", "published_by").get(
        number=published.version
    )
    return policy_as_json(row, in_force=published.version)


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

"""Policies for programs: `/api/v1/policies`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import BaseModel, ConfigDict, Field

from accounts.doors import signed_in
from approvals.answers import PolicyList, PolicyOut
from approvals.eligibility import require_policy_reader
from approvals.errors import BadBody, PolicyUnknown
from approvals.models import PolicyVersion
from approvals.policies import Policy
from approvals.representations import policy_as_json
from approvals.services import policies, publish
from approvals.vocabulary import Risk
from audit.paging import page

router = Router(tags=["policies"])


class Body(BaseModel):
    """Base of what is posted here: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


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


@router.get("policies", response=PolicyList, operation_id="list_policies", summary="Policies")
def list_policies(
    request: HttpRequest,
    state: Literal["published", "draft"] | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Published versions and drafts, newest first, without their documents."""
    caller = signed_in(request)
    require_policy_reader(caller)
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
    "policies/{int:version}", response=PolicyOut, operation_id="read_policy", summary="One policy"
)
def read_policy(request: HttpRequest, version: int) -> dict[str, Any]:
    """A published version with its whole document."""
    caller = signed_in(request)
    require_policy_reader(caller)
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
    response={201: PolicyOut},
    operation_id="draft_policy",
    summary="Draft",
)
def post_draft(request: HttpRequest, body: DraftIn) -> Status[dict[str, Any]]:
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
    return Status(201, policy_as_json(kept, in_force=policies.current().version))


@router.post(
    "policies/drafts/{int:draft_id}/publish",
    response=PolicyOut,
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

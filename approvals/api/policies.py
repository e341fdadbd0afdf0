"""Policies for programs: `/api/v1/policies`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from accounts.doors import signed_in
from approvals.answers import (
    PolicyList,
    PolicyOut,
    RebasedOut,
)
from approvals.api.shapes import Body
from approvals.authority import readable_draft, readable_drafts
from approvals.eligibility import require_policy_reader
from approvals.errors import BadBody, PolicyUnknown
from approvals.models import PolicyVersion
from approvals.policies import Policy
from approvals.representations import policy_as_json
from approvals.services import drafts, policies
from approvals.services.publish import publish_draft, roll_back
from approvals.vocabulary import Risk
from audit.paging import page

router = Router(tags=["policies"])


class ThresholdIn(Body):
    """One threshold to set; None takes it out. No risk, agent or tool: the default."""

    value: Annotated[float, Field(ge=0, le=1)] | None
    risk: Risk | None = None
    agent: str | None = None
    tool: str | None = None
    rule: str | None = None


class DraftIn(Body):
    """A whole document, or changes of thresholds to the base version's."""

    base_version: int = Field(ge=1)
    document: dict[str, Any] | None = None
    thresholds: list[ThresholdIn] = Field(default_factory=list, max_length=200)
    why: str = Field(default="", max_length=2_000)


class DraftChangeIn(Body):
    """Another document for the edition that was read."""

    document: dict[str, Any]
    edition: int = Field(ge=1)
    why: str | None = Field(default=None, max_length=2_000)


class EditionIn(Body):
    """Which edition was read; without it, whatever is there."""

    edition: int | None = Field(default=None, ge=1)


class PublishIn(EditionIn):
    """Why; empty takes the draft's own words."""

    why: str = Field(default="", max_length=2_000)


@router.get("policies", response=PolicyList, operation_id="list_policies", summary="Policies")
def list_policies(
    request: HttpRequest,
    state: Literal["published", "draft", "submitted", "withdrawn"] | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Published versions and drafts, newest first, without their documents."""
    caller = signed_in(request)
    require_policy_reader(caller)
    rows = PolicyVersion.objects.published() | readable_drafts(caller)
    rows = rows.select_related("author", "published_by", "submitted_by")
    if state is not None:
        rows = rows.filter(state=state)
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
        .select_related("author", "published_by", "submitted_by")
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
    kept = drafts.begin_draft(
        document=_document(body, body.base_version),
        base_version=body.base_version,
        caller=caller,
        why=body.why,
    )
    return Status(201, _as_json(kept.pk))


@router.get(
    "policies/drafts/{int:draft_id}",
    response=PolicyOut,
    operation_id="read_draft",
    summary="One draft",
)
def read_draft(request: HttpRequest, draft_id: int) -> dict[str, Any]:
    """A draft, or what became of it, with its whole document."""
    readable_draft(draft_id, signed_in(request))
    return _as_json(draft_id)


@router.put(
    "policies/drafts/{int:draft_id}",
    response=PolicyOut,
    operation_id="change_draft",
    summary="Write in a draft",
)
def put_draft(request: HttpRequest, draft_id: int, body: DraftChangeIn) -> dict[str, Any]:
    """Put another document in the place of the edition that was read. A submitted draft is a draft again."""
    drafts.change_draft(
        draft_id=draft_id,
        document=body.document,
        edition=body.edition,
        caller=signed_in(request),
        why=body.why,
    )
    return _as_json(draft_id)


@router.post(
    "policies/drafts/{int:draft_id}/rebase",
    response=RebasedOut,
    operation_id="rebase_draft",
    summary="Rebase",
)
def post_rebase(request: HttpRequest, draft_id: int, body: EditionIn) -> dict[str, Any]:
    """Put the draft's changes on top of the version in force; says what both had changed."""
    rebased = drafts.rebase_draft(
        draft_id=draft_id, edition=_edition(draft_id, body), caller=signed_in(request)
    )
    return _as_json(draft_id) | {"conflicts": rebased.conflicts}


@router.post(
    "policies/drafts/{int:draft_id}/submit",
    response=PolicyOut,
    operation_id="submit_draft",
    summary="Submit",
)
def post_submit(request: HttpRequest, draft_id: int, body: PublishIn) -> dict[str, Any]:
    """Say that the draft is ready for somebody else to publish."""
    drafts.submit_draft(
        draft_id=draft_id,
        edition=_edition(draft_id, body),
        caller=signed_in(request),
        why=body.why,
    )
    return _as_json(draft_id)


@router.post(
    "policies/drafts/{int:draft_id}/withdraw",
    response=PolicyOut,
    operation_id="withdraw_draft",
    summary="Withdraw",
)
def post_withdraw(request: HttpRequest, draft_id: int, body: EditionIn) -> dict[str, Any]:
    """Give the draft up."""
    drafts.withdraw_draft(
        draft_id=draft_id, edition=_edition(draft_id, body), caller=signed_in(request)
    )
    return _as_json(draft_id)


@router.post(
    "policies/drafts/{int:draft_id}/publish",
    response=PolicyOut,
    operation_id="publish_draft",
    summary="Publish",
)
def post_publish(request: HttpRequest, draft_id: int, body: PublishIn) -> dict[str, Any]:
    """Make the draft the policy in force, unless another was published since it began.

    What loosens is published by somebody who did not write it; only where nobody else could, its author
    may, and the log says so (`second_waived`).
    """
    publish_draft(draft_id=draft_id, caller=signed_in(request), edition=body.edition, why=body.why)
    return _as_json(draft_id)


@router.post(
    "policies/{int:version}/roll-back",
    response={201: PolicyOut},
    operation_id="roll_back_policy",
    summary="Roll back",
)
def post_roll_back(request: HttpRequest, version: int, body: PublishIn) -> Status[dict[str, Any]]:
    """Bring an earlier version back: published where the caller may do so alone, else submitted."""
    draft = roll_back(version=version, caller=signed_in(request), why=body.why)
    return Status(201, _as_json(draft.pk))


def _document(body: DraftIn, base: int) -> dict[str, Any] | Policy:
    if (body.document is None) == (not body.thresholds):
        raise BadBody(
            [{"field": "document", "message": "send a document, or thresholds to change"}]
        )
    if body.document is not None:
        return body.document
    policy = policies.version(base).policy
    for line in body.thresholds:
        policy = policy.with_threshold(
            line.value, risk=line.risk, agent=line.agent, tool=line.tool, rule=line.rule
        )
    return policy


def _edition(draft_id: int, body: EditionIn) -> int:
    """The edition that was read; the one of now where the caller does not mind."""
    if body.edition is not None:
        return body.edition
    found = PolicyVersion.objects.filter(pk=draft_id).values_list("edition", flat=True).first()
    return found or 0


def _as_json(draft_id: int) -> dict[str, Any]:
    row = PolicyVersion.objects.select_related("author", "published_by", "submitted_by").get(
        pk=draft_id
    )
    return policy_as_json(row, in_force=policies.current().version)

"""What the API answers, as schemas for its OpenAPI document. Moments are ISO 8601 in UTC,
confidences and thresholds lie between 0 and 1."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ReasonOut(BaseModel):
    """Why, as data and as a sentence."""

    code: str
    params: dict[str, Any]
    sentence: str


class PolicyRefOut(BaseModel):
    """The policy that it was judged by; `rule` is the rule that decided."""

    version: int
    sha256: str
    rule: str | None


class StandingOut(BaseModel):
    """How it stands: what happened, by whom, when."""

    what: str
    who: str
    when: str | None


class ClaimedOut(BaseModel):
    """Who says that they are looking at it, and until when."""

    by: str
    until: str | None


class ApprovalSummary(BaseModel):
    """A request in a list. A decision posts `revision`, `digest` and `shown_sha256` back."""

    id: str
    kind: str
    state: str
    version: int = Field(description="Grows with anything visible.")
    revision: int = Field(description="Grows with what is to be decided.")
    digest: str
    shown_sha256: str
    title: str
    preview: dict[str, Any]
    agent: str
    agent_title: str
    agent_version: str
    owner_group: str | None
    initiator: str | None
    run: str | None
    step: int | None
    tool: str | None
    tool_version: str | None
    arguments: dict[str, Any] = Field(
        description='A value of {"hidden": true} is there and not for this caller.'
    )
    risk: str
    effects: list[str]
    reversible: bool
    confidence: float | None = Field(description="None while it is hidden from reviewers.")
    calibrated_confidence: float | None
    threshold: float | None
    score_source: str | None
    is_sample: bool | None
    reasons: list[ReasonOut]
    requirements: dict[str, Any]
    tainted: bool
    policy: PolicyRefOut
    verdicts: list[str]
    review_deadline: str | None
    execute_by: str | None
    ready_at: str | None = Field(description="Before it an approval can be taken back.")
    undo_seconds: float
    created_at: str
    decided_at: str | None
    decided_by: str | None
    reason_code: str | None = Field(description="The reason chip picked by whoever closed it.")
    reason_label: str | None = Field(description="What that chip said then.")
    standing: StandingOut
    claim: ClaimedOut | None
    superseded_by: str | None


class NeedOut(BaseModel):
    """How many of a group are needed, and how many are missing."""

    group: str
    title: str
    needed: int
    missing: int
    stands_in: bool


class VoteOut(BaseModel):
    """One person's verdict on the current revision."""

    id: str
    verdict: str
    by: str
    at: str
    revision: int
    counts: bool
    reason: str
    reason_code: str | None
    reason_label: str | None


class ResolutionOut(BaseModel):
    """What the run was told."""

    kind: str
    data: dict[str, Any]


class OperationOut(BaseModel):
    """Where the approved call stands."""

    state: str
    sentence: str
    at: str | None


class CommentOut(BaseModel):
    """Words under a request."""

    id: str
    author: str
    body: str
    created_at: str


class PartOfOut(BaseModel):
    """The run that handed work to the one that asks. `run` and `title` are null where the caller may not
    open it."""

    run: str | None
    title: str | None
    agent_title: str


class ApprovalOut(ApprovalSummary):
    """A request, whole."""

    part_of: PartOfOut | None = Field(
        description="The run that handed the work over; null where a person started it."
    )
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of the arguments.")
    sensitive: list[str]
    hidden_arguments: list[str]
    address_warnings: list[str] = Field(
        description="Addresses in arguments, preview and question that are not what they seem."
    )
    rationale: str = Field(description="What the agent says; nobody verified it.")
    evidence: list[dict[str, Any]]
    question: dict[str, Any] | None
    needs: list[NeedOut]
    approvals: list[VoteOut]
    resolution: ResolutionOut | None
    operation: OperationOut | None
    comments: list[CommentOut]


class ApprovalList(BaseModel):
    """A page of requests."""

    items: list[ApprovalSummary]
    next_cursor: str | None


class DecisionOut(BaseModel):
    """What came of a decision. `remaining` names groups and how many people they lack."""

    request: str
    decision: str
    verdict: str
    state: str
    revision: int
    version: int
    decided_at: str
    ready_at: str | None
    remaining: dict[str, int]
    replayed: bool


class BatchItemOut(BaseModel):
    """What came of one item: `decision`, or the `problem` document (RFC 9457) of its refusal."""

    id: str
    decision: DecisionOut | None
    problem: dict[str, Any] | None


class BatchOut(BaseModel):
    """The results, in the order of the items."""

    items: list[BatchItemOut]


class UndoneOut(BaseModel):
    """The request as it waits again."""

    request: str
    state: str
    revision: int
    version: int


class ExtendedOut(BaseModel):
    """The new deadline."""

    request: str
    review_deadline: str


class ClaimOut(BaseModel):
    """Who holds the claim now; `taken_from` is who held it before."""

    request: str
    by: str
    until: str
    taken_from: str | None


class SnoozedOut(BaseModel):
    """Until when the request is left out of the caller's own lists."""

    request: str
    until: str


class ReasonChipOut(BaseModel):
    """A reason that may be picked with one of these verdicts, until it is retired."""

    code: str = Field(description="What a decision sends as `reason_code`; it never changes.")
    label: str
    verdicts: list[str]
    retired_at: str | None


class ReasonChipList(BaseModel):
    """The reason chips, in the order in which they are offered."""

    items: list[ReasonChipOut]
    next_cursor: str | None


class PolicySummary(BaseModel):
    """A policy version; drafts have no number."""

    id: int
    version: int | None
    state: str
    in_force: bool
    sha256: str
    base: int | None
    author: str | None
    published_by: str | None
    submitted_by: str | None
    scope: str = Field(description="The group whose own rules it changes; empty: all of it.")
    edition: int = Field(description="Grows whenever somebody writes in a draft.")
    restores: int | None = Field(description="The version that it brings back.")
    tightens_only: bool | None = Field(description="Known once it is submitted.")
    second_waived: bool = Field(description="Published by its author, since nobody else could.")
    why: str
    created_at: str
    published_at: str | None


class PolicyOut(PolicySummary):
    """A policy version with its document."""

    document: dict[str, Any]


class RebasedOut(PolicyOut):
    """A draft on top of what is in force, and what both had changed."""

    conflicts: list[str]


class SimulationOut(BaseModel):
    """A simulation. `result` is there once `state` is finished; `problem` once it failed."""

    id: str
    draft: int
    edition: int
    against: int = Field(description="The published version that it is compared with.")
    line: str
    since: str
    until: str
    state: str
    done: int
    total: int
    result: dict[str, Any] | None
    problem: str


class StickyOut(BaseModel):
    """A sticky approval. A constraint's value is {"hidden": true} where it is not for this caller."""

    id: str
    request: str
    agent: str
    tool: str
    constraints: dict[str, Any]
    why: str
    granted_by: str
    granted_at: str
    expires_at: str
    revoked_by: str | None
    revoked_at: str | None


class StickyList(BaseModel):
    """A page of sticky approvals."""

    items: list[StickyOut]
    next_cursor: str | None


class PolicyList(BaseModel):
    """A page of policy versions."""

    items: list[PolicySummary]
    next_cursor: str | None

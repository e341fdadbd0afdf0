"""How requests stand in the log: every event of a request is written through here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from approvals.models import ApprovalRequest
from audit.actors import Actor
from audit.recorder import record
from audit.schemas import ActionRef, AgentRef, Disclose, Outcome, PolicyRef


def stream_of(request_id: UUID) -> str:
    """The request's own stream."""
    return f"request:{request_id}"


def record_request(
    request: ApprovalRequest,
    event: str,
    actor: Actor,
    *,
    outcome: Outcome | None = None,
    facts: dict[str, Any] | None = None,
    content: bool = False,
    texts: dict[str, str] | None = None,
) -> UUID:
    """Record one event of the request inside the caller's transaction; last, after all locks.

    `content` binds the digests of the arguments and of what was shown. `texts` are the actor's own
    free words by name; empty ones are left out. A score that is not to be seen yet is left out too.
    """
    return record(
        type=event,
        actor=actor,
        stream=stream_of(request.pk),
        agent=AgentRef(slug=request.agent, version=request.agent_version, run=request.run_id),
        action=ActionRef(
            tool=request.tool,
            risk=request.risk,
            confidence_bp=request.confidence_bp if request.is_score_revealed else None,
        )
        if request.tool
        else None,
        policy=PolicyRef(
            version=request.policy_version,
            sha256=request.policy_sha256 or None,
            rule=request.rule or None,
        )
        if request.policy_version
        else None,
        outcome=outcome,
        request=request.pk,
        run=request.run_id,
        facts={"kind": str(request.kind), "revision": request.revision, **(facts or {})},
        disclosures=_disclosures(request, actor, content, texts or {}),
    )


def _disclosures(
    request: ApprovalRequest, actor: Actor, content: bool, texts: dict[str, str]
) -> Sequence[Disclose]:
    kept = [
        Disclose(name, text, f"{actor.kind}:{actor.id}") for name, text in texts.items() if text
    ]
    if content:
        subject = stream_of(request.pk)
        kept.append(Disclose("args_sha256", request.digest, subject))
        kept.append(Disclose("shown_sha256", request.shown_sha256, subject))
    return kept

"""A request as JSON for programs: only what this caller may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from accounts.callers import Caller
from approvals import eligibility, ports
from approvals.bodies import offered_verdicts
from approvals.models import (
    ApprovalRequest,
    PolicyVersion,
    ReasonChip,
    RequestGroup,
    Simulation,
    StickyApproval,
    Vote,
)
from approvals.ports import Operation
from approvals.reasons import sentence
from approvals.score_words import scores_as_json
from approvals.showing import address_warnings, visible_reasons
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.vocabulary import Kind
from approvals.voting import tally
from approvals.withholding import Withheld

HIDDEN = {"hidden": True}
RESULT_HIDDEN = "hidden: it may repeat a sensitive argument"


def as_json(request: ApprovalRequest, caller: Caller) -> dict[str, Any]:
    """One request, whole: what it is, why it waits, what it takes, how it stands."""
    groups = list(request.request_groups.select_related("group"))
    operation = ports.runs().operations([request]).get(request.pk)
    hidden = eligibility.hidden_arguments(request, caller)
    shown = eligibility.withheld_from(request, caller).value
    return {
        **summary(request, caller),
        "part_of": _part_of(request, caller),
        "schema": request.schema,
        "sensitive": request.sensitive,
        "hidden_arguments": hidden,
        "address_warnings": shown(address_warnings(request)) if not hidden else [],
        "rationale": shown(request.rationale) if not hidden else "",
        "evidence": visible_evidence(request, caller) if not hidden else [],
        "question": shown(request.question) if not hidden else dict(HIDDEN),
        "needs": _needs(request, groups),
        "approvals": [
            {**_vote(vote), "reason": shown(vote.reason)}
            for vote in request.votes.select_related("user").filter(revision=request.revision)
        ],
        "resolution": shown(_resolution(request, hidden)),
        "operation": _operation(operation),
        "comments": [
            {
                "id": str(comment.pk),
                "author": comment.author.username,
                "body": shown(comment.body),
                "created_at": _moment(comment.created_at),
            }
            for comment in request.comments.select_related("author")
        ],
    }


def summary(request: ApprovalRequest, caller: Caller, *, listed: bool = False) -> dict[str, Any]:
    """One request, `listed` with others or alone; no query of its own where `initiator`, `owner_group`,
    `claimed_by` and `decided_by` are joined."""
    revealed = request.is_score_revealed
    hidden = eligibility.hidden_arguments(request, caller, listed=listed)
    shown = eligibility.withheld_from(request, caller, listed=listed).value
    standing = standing_of(request)
    return {
        "id": str(request.pk),
        "kind": request.kind,
        "state": request.state,
        "version": request.version,
        "revision": request.revision,
        "digest": request.digest,
        "shown_sha256": request.shown_sha256,
        "title": shown(request.title) if not hidden else f"{request.agent_title}: {request.tool}",
        "preview": shown(request.preview) if not hidden else dict(HIDDEN),
        "agent": request.agent,
        "agent_title": request.agent_title,
        "agent_version": request.agent_version,
        "owner_group": request.owner_group.slug if request.owner_group else None,
        "initiator": request.initiator.username if request.initiator else None,
        "run": str(request.run_id) if request.run_id else None,
        "step": request.step_seq,
        "tool": request.tool or None,
        "tool_version": request.tool_version or None,
        "arguments": visible_arguments(request, hidden),
        "risk": request.risk,
        "effects": request.effects,
        "reversible": request.reversible,
        "confidence": _share(request.confidence_bp) if revealed else None,
        "calibrated_confidence": _share(request.calibrated_bp) if revealed else None,
        "threshold": _share(request.threshold_bp) if revealed else None,
        "score_source": request.score_source if revealed else None,
        "score_version": request.score_version if revealed else None,
        "scores": scores_as_json(request.confidence, objections=not hidden) if revealed else None,
        "is_sample": request.is_sample if revealed else None,
        "reasons": [
            {
                "code": reason["code"],
                "params": shown(reason["params"]),
                "sentence": shown(sentence(reason)),
            }
            for reason in visible_reasons(request)
        ],
        "requirements": request.requirements,
        "tainted": request.tainted,
        "policy": {
            "version": request.policy_version,
            "sha256": request.policy_sha256,
            "rule": request.rule or None,
        },
        "verdicts": [
            verdict.value for verdict in offered_verdicts(Kind(request.kind), request.question)
        ],
        "review_deadline": _moment(request.review_deadline),
        "execute_by": _moment(request.execute_by),
        "ready_at": _moment(request.ready_at),
        "undo_seconds": request.undo_seconds,
        "created_at": _moment(request.created_at),
        "decided_at": _moment(request.decided_at),
        "decided_by": request.decided_by.username if request.decided_by else None,
        "reason_code": _reason_code(request),
        "reason_label": request.reason_label or None,
        "standing": {
            "what": standing.what,
            "who": standing.who,
            "when": _moment(standing.when),
        },
        "claim": _claim(request),
        "superseded_by": str(request.superseded_by_id) if request.superseded_by_id else None,
    }


def visible_arguments(request: ApprovalRequest, hidden: Sequence[str]) -> dict[str, Any]:
    """The arguments with the hidden ones marked as there, and nothing more."""
    return {
        name: dict(HIDDEN) if name in hidden else value for name, value in request.arguments.items()
    }


def visible_evidence(request: ApprovalRequest, caller: Caller) -> list[dict[str, Any]]:
    """What the run had seen, without what was sensitive in it and without what repeats that."""
    if eligibility.reads_sensitive(caller):
        return list(request.evidence)
    withheld = eligibility.withheld_from(request, caller)
    return [_open_part(entry, withheld) for entry in request.evidence]


def _open_part(entry: dict[str, Any], withheld: Withheld) -> dict[str, Any]:
    """A call's evidence; of one with sensitive arguments the result could repeat what they hold."""
    secret = entry.get("sensitive") or ()
    given = withheld.arguments(entry.get("arguments") or {})
    arguments = {name: dict(HIDDEN) if name in secret else value for name, value in given.items()}
    result = RESULT_HIDDEN if secret else withheld.content(entry.get("result"))
    return {**entry, "arguments": arguments, "result": result}


def policy_as_json(row: PolicyVersion, *, in_force: int, whole: bool = True) -> dict[str, Any]:
    """One policy version; with its document when `whole`."""
    data: dict[str, Any] = {
        "id": row.pk,
        "version": row.number,
        "state": row.state,
        "in_force": row.number == in_force,
        "sha256": row.sha256,
        "base": row.base,
        "author": row.author.username if row.author else None,
        "published_by": row.published_by.username if row.published_by else None,
        "submitted_by": row.submitted_by.username if row.submitted_by else None,
        "scope": row.scope,
        "edition": row.edition,
        "restores": row.restores,
        "tightens_only": row.tightens_only,
        "second_waived": row.second_waived,
        "why": row.why,
        "created_at": _moment(row.created_at),
        "published_at": _moment(row.published_at),
    }
    if whole:
        data["document"] = row.document
    return data


def sticky_as_json(row: StickyApproval, caller: Caller) -> dict[str, Any]:
    """One sticky approval, without the values that the caller may not see."""
    hidden = set() if caller.holds("read_sensitive") else set(row.sensitive)
    return {
        "id": str(row.pk),
        "request": str(row.request_id),
        "agent": row.agent,
        "tool": row.tool,
        "constraints": {
            name: {**each, "value": dict(HIDDEN)} if name in hidden else each
            for name, each in row.constraints.items()
        },
        "why": row.why,
        "granted_by": row.granted_by.username,
        "granted_at": _moment(row.granted_at),
        "expires_at": _moment(row.expires_at),
        "revoked_by": row.revoked_by.username if row.revoked_by else None,
        "revoked_at": _moment(row.revoked_at),
    }


def simulation_as_json(simulation: Simulation) -> dict[str, Any]:
    """One simulation; counts are numbers of actions."""
    return {
        "id": str(simulation.pk),
        "draft": simulation.draft_id,
        "edition": simulation.edition,
        "against": simulation.against,
        "line": simulation.line,
        "since": _moment(simulation.since),
        "until": _moment(simulation.until),
        "state": str(simulation.state),
        "done": simulation.done,
        "total": simulation.total,
        "result": simulation.result,
        "problem": simulation.problem,
    }


def _needs(request: ApprovalRequest, groups: Sequence[RequestGroup]) -> list[dict[str, Any]]:
    """What is needed of which group, and how many are still missing."""
    pending = request.state == RequestState.PENDING
    missing = tally(request, groups).missing if pending else {}
    return [
        {
            "group": row.group.slug,
            "title": row.group.title,
            "needed": row.needed,
            "missing": missing.get(row.group_id, 0),
            "stands_in": row.stands_in,
        }
        for row in groups
    ]


def _part_of(request: ApprovalRequest, caller: Caller) -> dict[str, Any] | None:
    """The run that handed the work to the one that asks; its id and title where the caller may open it."""
    if request.run_id is None:
        return None
    parent = ports.runs().handed_by(caller.user, request.run_id)
    if parent is None:
        return None
    return {
        "run": str(parent.run) if parent.run else None,
        "title": parent.title or None,
        "agent_title": parent.agent,
    }


def _vote(vote: Vote) -> dict[str, Any]:
    return {
        "id": str(vote.pk),
        "verdict": vote.verdict,
        "by": vote.user.username,
        "at": _moment(vote.created_at),
        "revision": vote.revision,
        "counts": vote.counts,
        "reason": vote.reason,
        "reason_code": vote.reason_code or None,
        "reason_label": vote.reason_label or None,
    }


def _resolution(request: ApprovalRequest, hidden: Sequence[str]) -> dict[str, Any] | None:
    if request.resolution is None:
        return None
    data = dict(request.resolution.get("data", {}))
    if hidden and "arguments" in data:
        data["arguments"] = visible_arguments(request, hidden)
    return {"kind": request.resolution["kind"], "data": data}


def _reason_code(request: ApprovalRequest) -> str | None:
    data = (request.resolution or {}).get("data") or {}
    return data.get("reason_code") or None


def chip_as_json(chip: ReasonChip) -> dict[str, Any]:
    """One reason chip."""
    return {
        "code": chip.code,
        "label": chip.label,
        "verdicts": chip.verdicts,
        "retired_at": _moment(chip.retired_at),
    }


def _operation(operation: Operation | None) -> dict[str, Any] | None:
    if operation is None:
        return None
    return {
        "state": operation.state,
        "sentence": operation.sentence,
        "at": _moment(operation.at),
    }


def _claim(request: ApprovalRequest) -> dict[str, Any] | None:
    if request.claimed_by is None:
        return None
    return {"by": request.claimed_by.username, "until": _moment(request.claim_expires_at)}


def _share(value_bp: int | None) -> float | None:
    return None if value_bp is None else value_bp / 10_000


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None

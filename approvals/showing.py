"""What a reviewer is shown, as one canonical document: pages are rendered from it, and its digest
stands in the decision's event."""

from __future__ import annotations

import json
from typing import Any

from accounts.languages import in_no_language
from approvals.lookalikes import warnings_of
from approvals.models import ApprovalRequest
from approvals.reasons import sentence, without_score
from audit.canonical import canonical_bytes, sha256_hex

VERSION = 2
#: What the code says of a request, and no row keeps: the form of the document, and its warnings.
_WORDED = {"v", "address_warnings"}


def show(request: ApprovalRequest) -> tuple[bytes, str]:
    """The document's bytes (RFC 8785) and their digest, for the request as it stands."""
    # What was shown is kept and compared: it is the same document whoever reads it.
    with in_no_language():
        data = canonical_bytes(_document(request))
    return data, sha256_hex(data)


def stands_as_shown(request: ApprovalRequest, shown: bytes) -> bool:
    """Whether the request's row says what was kept as shown, however the code of today words it."""
    with in_no_language():
        stands = json.loads(canonical_bytes(_document(request)))
    kept = json.loads(shown)
    for document in (kept, stands):
        document["reasons"] = [reason | {"sentence": ""} for reason in document["reasons"]]
    return all(kept[part] == stands[part] for part in (kept.keys() & stands.keys()) - _WORDED)


def visible_reasons(request: ApprovalRequest) -> list[dict[str, Any]]:
    """The reasons as data, without what would tell a hidden score."""
    reasons: list[dict[str, Any]] = request.reasons
    if request.is_score_revealed:
        return reasons
    return without_score(reasons)


def address_warnings(request: ApprovalRequest) -> list[str]:
    """A sentence for each address that is not what it seems, wherever the reviewer decides on it."""
    return warnings_of(request.arguments, request.preview, request.question)


def _document(request: ApprovalRequest) -> dict[str, Any]:
    seen = request.score_visible
    reasons = request.reasons if seen else without_score(request.reasons)
    return {
        "v": VERSION,
        "request": str(request.pk),
        "kind": str(request.kind),
        "revision": request.revision,
        "run": str(request.run_id) if request.run_id else None,
        "agent": {
            "slug": request.agent,
            "title": request.agent_title,
            "version": request.agent_version,
        },
        "title": request.title,
        "preview": request.preview,
        "tool": request.tool,
        "tool_version": request.tool_version,
        "arguments": request.arguments,
        "address_warnings": address_warnings(request),
        "digest": request.digest,
        "risk": str(request.risk),
        "effects": request.effects,
        "reversible": request.reversible,
        "confidence_bp": _compared(request) if seen else None,
        "threshold_bp": request.threshold_bp if seen else None,
        "score_source": request.score_source if seen else "",
        "scores": _scores(request) if seen else {},
        "reasons": [{**reason, "sentence": sentence(reason)} for reason in reasons],
        "requirements": request.requirements,
        "policy": {
            "version": request.policy_version,
            "sha256": request.policy_sha256,
            "rule": request.rule,
        },
        "rationale": request.rationale,
        "evidence": request.evidence,
        "tainted": request.tainted,
        "tainted_by": request.tainted_by,
        "question": request.question,
    }


def _scores(request: ApprovalRequest) -> dict[str, Any]:
    """Every score in basis points: a document holds no fractions. Objections are a model's words."""
    confidence = request.confidence
    return {
        source: {"score_bp": confidence.signals.get(source), **request.score_notes.get(source, {})}
        for source in dict.fromkeys((*confidence.signals, *confidence.notes))
    }


def _compared(request: ApprovalRequest) -> int | None:
    """The score that was compared with the threshold."""
    if request.calibrated_bp is not None:
        return request.calibrated_bp
    return request.confidence_bp

"""Revisions: what was to be decided at each point, kept whole."""

from __future__ import annotations

from typing import Any

from approvals.models import ApprovalRequest, RequestRevision
from audit.clock import database_now
from audit.writes import insert


def keep_revision(
    request: ApprovalRequest,
    shown: bytes,
    *,
    editor_id: int | None = None,
    material: bool = False,
    why: str = "",
) -> None:
    """Keep as a revision exactly what people are shown now, which says what is to be decided."""
    row = RequestRevision(
        request=request,
        revision=request.revision,
        digest=request.digest,
        shown=shown,
        shown_sha256=request.shown_sha256,
        policy_version=request.policy_version,
        policy_sha256=request.policy_sha256,
        editor_id=editor_id,
        material=material,
        why=why,
        created_at=database_now(),
    )
    insert(row)


def changed_fields(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of the top-level arguments that differ."""
    missing = object()
    return sorted(
        name for name in {*before, *after} if before.get(name, missing) != after.get(name, missing)
    )

"""Reason chips for programs: `/api/v1/reason-chips`."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from accounts.doors import signed_in
from approvals.answers import ReasonChipList
from approvals.eligibility import require_policy_reader
from approvals.models import ReasonChip
from approvals.representations import chip_as_json
from approvals.vocabulary import Verdict
from audit.paging import page

router = Router(tags=["approvals"])


@router.get(
    "reason-chips",
    response=ReasonChipList,
    operation_id="list_reason_chips",
    summary="Reason chips",
)
def list_reason_chips(
    request: HttpRequest,
    verdict: Verdict | None = None,
    retired: bool = False,
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 100,
) -> dict[str, Any]:
    """The reasons that may be picked, in order; `retired` adds those that are not offered any more."""
    require_policy_reader(signed_in(request))
    rows = ReasonChip.objects.all()
    if not retired:
        rows = rows.offered()
    if verdict is not None:
        rows = rows.filter(verdicts__contains=[verdict.value])
    found = page(rows, order=("position", "code"), cursor=cursor, limit=limit)
    return {
        "items": [chip_as_json(chip) for chip in found.items],
        "next_cursor": found.next_cursor,
    }

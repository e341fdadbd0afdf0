"""What was decided on calls like this one, as the page of a request says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.urls import reverse

from accounts.callers import Caller
from approvals.models import ApprovalRequest
from approvals.similar import DAYS, similar_to
from approvals.standing import standing_of
from approvals.views.masking import masked

SHOWN: Final = 3
_TOLD: Final = (
    *("kind", "state", "agent_title", "tool", "title", "sensitive", "withheld", "arguments"),
    *("question", "preview", "resolution", "decided_at"),
    *("decided_by__username", "decided_by__display_name"),
)


@dataclass(frozen=True)
class Told:
    """One decision of those: what it was about, how it went, and the reason that was picked."""

    url: str
    title: str
    sentence: str
    reason: str
    at: datetime | None


@dataclass(frozen=True)
class SimilarView:
    """`line`: `12 in 90 days: 9 approved, 2 edited, 1 rejected`."""

    line: str
    newest: Sequence[Told]


def similar_view(item: ApprovalRequest, caller: Caller) -> SimilarView | None:
    """None where nothing like it was decided. Two queries at most."""
    found = similar_to(item, caller, newest=SHOWN)
    if found is None or not found.number:
        return None
    counted = ", ".join(f"{number} {word}" for word, number in found.counts)
    number = f"The last {found.number}" if found.cut else f"{found.number}"
    rows = ApprovalRequest.objects.select_related("decided_by").only(*_TOLD).in_bulk(found.newest)
    return SimilarView(
        line=f"{number} in {DAYS} days: {counted}",
        newest=[_told(rows[pk], caller) for pk in found.newest],
    )


def _told(row: ApprovalRequest, caller: Caller) -> Told:
    masked(row, caller, listed=True)
    standing = standing_of(row)
    return Told(
        url=reverse("request-detail", kwargs={"pk": row.pk}),
        title=str(row.preview["title"]),
        sentence=standing.sentence[:1].upper() + standing.sentence[1:],
        reason=row.reason_label,
        at=standing.when,
    )

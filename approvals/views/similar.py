"""What was decided on calls like this one, as the page of a request says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals.lists import with_lists
from approvals.models import ApprovalRequest
from approvals.similar import DAYS, similar_to
from approvals.standing import standing_of
from approvals.views.masking import masked
from audit.prepared import Prepared

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
    number = (
        gettext("The last {number}").format(number=found.number) if found.cut else f"{found.number}"
    )
    rows = {row.pk: row for row in _rows(list(found.newest))}
    return SimilarView(
        line=gettext("{number} in {days} days: {counted}").format(
            number=number, days=DAYS, counted=counted
        ),
        newest=[_told(rows[pk], caller) for pk in found.newest],
    )


_rows = Prepared(
    lambda request: (
        ApprovalRequest.objects.filter(pk__in=[request]).select_related("decided_by").only(*_TOLD)
    ),
    UUID(int=0),
    rewrite=with_lists,
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

"""Filters of the lists of requests: which there are, in what words, and what of a list fits them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

from django.db.models import Q
from django.db.models.functions import Now

from approvals.models import ApprovalRequestQuerySet
from approvals.vocabulary import Risk
from audit.wordings import Words

#: Who may be on it.
CLAIMS: Final = Words({"free": "Nobody is on it", "mine": "I am on it"})
#: How far the deadline may be.
DUE: Final = Words(
    {
        "hour": "Within an hour",
        "day": "Within a day",
        "week": "Within a week",
        "none": "No deadline",
    }
)
#: How long it may have waited.
AGES: Final = Words(
    {
        "hour": "For an hour or longer",
        "day": "For a day or longer",
        "week": "For a week or longer",
    }
)
_SPANS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
#: Of words that are looked for, no more count.
MOST_WORDS: Final = 8


@dataclass(frozen=True)
class Filters:
    """What of a list is asked for; an empty value asks for nothing. The values are those of a form that fits."""

    words: str = ""
    risk: str = ""
    agent: str = ""
    tool: str = ""
    kind: str = ""
    claimed: str = ""
    due: str = ""
    age: str = ""

    def __bool__(self) -> bool:
        return any(vars(self).values())

    @property
    def given(self) -> dict[str, str]:
        """Those that ask for something, by name."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name))}

    @property
    def shape(self) -> Filters:
        """What the text of a statement depends on: the same, whatever the values that it is given."""
        return replace(self, **{name: "any" for name in _COLUMNS if getattr(self, name)})

    @property
    def values(self) -> tuple[Any, ...]:
        """What a statement of this shape is given, in the order of `STAND_INS`."""
        rank = Risk(self.risk).rank if self.risk else 0
        return rank, self.agent, self.tool, self.kind


#: The filters that give a column its value.
_COLUMNS: Final = {"risk": "risk_rank", "agent": "agent", "tool": "tool", "kind": "kind"}
#: Stand for those values in a statement that is made once for all. No risk has that rank, which fits its column.
STAND_INS: Final = (32_001, "any agent", "any tool", "any kind")
NO_FILTERS: Final = Filters()


def fitting(
    rows: ApprovalRequestQuerySet,
    filters: Filters,
    *,
    person: int,
    reads: bool,
    values: tuple[Any, ...] | None = None,
) -> ApprovalRequestQuerySet:
    """Those of the rows that fit; `person` is who asks, and `reads` whether they read sensitive arguments.

    `values` are those of a statement that is made for a shape; else the filters' own.
    """
    given = filters.values if values is None else values
    for (name, column), value in zip(_COLUMNS.items(), given, strict=True):
        if getattr(filters, name):
            rows = rows.filter(**{column: value})
    if filters.claimed:
        held = Q(claimed_by__isnull=False, claim_expires_at__gt=Now())
        own = Q(claimed_by=person, claim_expires_at__gt=Now())
        rows = rows.filter(own) if filters.claimed == "mine" else rows.exclude(held)
    if filters.due == "none":
        rows = rows.filter(review_deadline__isnull=True)
    elif filters.due:
        rows = rows.filter(review_deadline__lte=Now() + _SPANS[filters.due])
    if filters.age:
        rows = rows.filter(created_at__lte=Now() - _SPANS[filters.age])
    return matching(rows, filters.words, reads=reads) if filters.words else rows


def matching(rows: ApprovalRequestQuerySet, words: str, *, reads: bool) -> ApprovalRequestQuerySet:
    """Those whose title, agent or tool holds every word.

    Unless the reader `reads` sensitive arguments, a title that may tell one is not searched: whether
    something is found would tell it too.
    """
    open_title = Q() if reads else Q(sensitive=[], withheld=[])
    for word in words.split()[:MOST_WORDS]:
        rows = rows.filter(
            (open_title & Q(title__icontains=word))
            | Q(agent_title__icontains=word)
            | Q(agent__icontains=word)
            | Q(tool__icontains=word)
        )
    return rows

"""Filters of the lists of requests: which there are, in what words, and what of a list fits them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db.models import BooleanField, Case, F, Func, Q, TextField, Value, When
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
#: What LIKE takes for something else than itself.
_SPECIAL: Final = re.compile(r"[\\%_]")
_ESCAPED: Final = r"\\\g<0>"


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
        given = (*_COLUMNS, "words")
        return replace(self, **{name: "any" for name in given if getattr(self, name)})

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
    patterns: Sequence[str] | None = None,
) -> ApprovalRequestQuerySet:
    """Those of the rows that fit; `person` is who asks, and `reads` whether they read sensitive arguments.

    `values` and `patterns` are those of a statement that is made for a shape; else the filters' own.
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
    if not filters.words:
        return rows
    return matching(rows, patterns_of(filters.words) if patterns is None else patterns, reads=reads)


def patterns_of(words: str) -> list[str]:
    """What each of the words is looked for by, as PostgreSQL's LIKE takes it."""
    return [f"%{_SPECIAL.sub(_ESCAPED, word)}%" for word in words.split()[:MOST_WORDS]]


def matching(
    rows: ApprovalRequestQuerySet, patterns: Sequence[str], *, reads: bool
) -> ApprovalRequestQuerySet:
    """Those of which one of title, agent and tool holds each of `patterns_of` some words.

    Unless the reader `reads` sensitive arguments, a title that may tell one is not searched: whether
    something is found would tell it too.
    """
    title: Any = F("title")
    if not reads:
        title = Case(When(sensitive=[], withheld=[], then=title), default=Value(""))
    text = _Lines(title, "agent_title", "agent", "tool")
    return rows.filter(_HoldsAll(text, Value(list(patterns), ArrayField(TextField()))))


class _Lines(Func):
    """Texts one below the other: no word goes on from one to the next."""

    template = "concat_ws(E'\\n', %(expressions)s)"
    output_field = TextField()


class _HoldsAll(Func):
    """Whether a text is like each of some patterns, capitals or not."""

    template = "(%(expressions)s))"
    arg_joiner = " ILIKE ALL ("
    arity = 2
    output_field = BooleanField()

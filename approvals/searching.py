"""Which requests of a list hold the words that are looked for: their keys, told by one statement that is made once."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from approvals import decided, filters
from approvals.filters import Filters, patterns_of
from approvals.lists import (
    MOST_PREPARED,
    STAND_INS,
    Lists,
    Shape,
    any_reader,
    given_of,
    kind_of,
    with_lists,
)
from approvals.models import MOST_COUNTED, ApprovalRequest, ApprovalRequestQuerySet, Reader
from audit.prepared import PreparedValues

#: Beside the lists by their names: all that wait and that the reader may see, whoever decides them.
ANY_WAITING: Final = "any waiting"
#: Stands for the patterns of the words.
_PATTERNS: Final = ("any pattern",)
_Bounds = tuple[int, int]


def found(
    reader: Reader,
    tab: str,
    asked: Filters,
    *,
    reads: bool,
    most: int = MOST_COUNTED + 1,
    read: int | None = None,
) -> list[UUID]:
    """Keys of at most `most` requests of a list that fit and hold every word, in its order; `reads` as in
    `filters.matching`. Of what was decided the newest `read` are looked through, else `decided.MOST_READ`."""
    bounds = decided.MOST_LOOKED_THROUGH, read or decided.MOST_READ
    statement = _statement(kind_of(reader), tab, asked.shape, reads, most, bounds)
    given = (*given_of(reader), *asked.values, patterns_of(asked.words))
    return [row["pk"] for row in statement(*given)]


def read_to(reader: Reader, asked: Filters) -> datetime | None:
    """When the oldest of the decisions was made that words are looked for in; None where that is all of them."""
    return decided.moment_of(reader, asked, place=decided.MOST_READ)


@lru_cache(maxsize=MOST_PREPARED)
def _statement(
    kind: Shape, tab: str, shape: Filters, reads: bool, most: int, bounds: _Bounds
) -> PreparedValues:
    def build(person: int, group: int, own: int, *given: Any) -> QuerySet[Any, Any]:
        *values, patterns = given
        rows = _listed(any_reader(kind, person, group, own), tab)
        if tab == "decided":
            among = decided.newest_in_sql(group, shape, values, bounds, everything=kind[0])
            rows = rows.filter(pk__in=among)
        fit = filters.fitting(
            rows, shape, person=person, reads=reads, values=tuple(values), patterns=patterns
        )
        return fit.values("pk")[:most]

    stand_ins = (*STAND_INS, *filters.STAND_INS, list(_PATTERNS))
    return PreparedValues(build, *stand_ins, rewrite=with_lists)


def _listed(reader: Reader, tab: str) -> ApprovalRequestQuerySet:
    if tab != ANY_WAITING:
        return Lists(reader).of(tab)
    rows = ApprovalRequest.objects.visible_to(reader)
    return rows.waiting_for(reader, in_order=True).by_deadline()

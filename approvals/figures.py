"""Where requests stand, in numbers, for whoever watches the product. Nothing of anybody's is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Count

from approvals.models import ApprovalRequest
from approvals.states import RequestState

#: Of what waits: the ends of the spans that its age is counted by, and what they are called.
AGES: Final = (
    (60, "1m"),
    (900, "15m"),
    (3_600, "1h"),
    (14_400, "4h"),
    (86_400, "1d"),
    (604_800, "7d"),
)
OLDER: Final = "older"

_PENDING = """
SELECT risk, width_bucket(extract(epoch FROM clock_timestamp() - created_at)::float8, %s::float8[]),
       count(*), max(extract(epoch FROM clock_timestamp() - created_at))::float8
  FROM approvals_approvalrequest WHERE state = 'pending' GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Pending:
    """So many requests of one risk that have waited for no longer than `age` says, and longer than the one
    before; `oldest_seconds`: the first of them."""

    risk: str
    age: str
    requests: int
    oldest_seconds: float


def requests_by_state(*, decided: bool) -> dict[str, int]:
    """How many wait, which an index counts however many were decided; or how many there are in each of the other
    states, where every request is counted."""
    rows = ApprovalRequest.objects.order_by()
    if not decided:
        return {RequestState.PENDING.value: rows.filter(state=RequestState.PENDING).count()}
    counted = rows.exclude(state=RequestState.PENDING).values_list("state").annotate(Count("pk"))
    return dict(counted)


def pending() -> list[Pending]:
    """What waits, by risk and age. One statement over what waits alone."""
    names = [*(name for _, name in AGES), OLDER]
    with connection.cursor() as cursor:
        cursor.execute(_PENDING, [[end for end, _ in AGES]])
        return [
            Pending(risk, names[place], number, oldest)
            for risk, place, number, oldest in cursor.fetchall()
        ]

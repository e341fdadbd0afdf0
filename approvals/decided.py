"""What was decided for a reader, newest first: looked up by what is listed for them, never by looking through all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import Func, UUIDField, Value

from approvals.filters import Filters
from approvals.models import Reader

#: Filters look through no more than this many of the newest that are listed for a group or a person.
MOST_LOOKED_THROUGH: Final = 20_000
#: Words are looked for in no more than this many: no index answers for a part of a word.
MOST_READ: Final = 3_000

# Each list is read from its index alone, in its order. Of a reader of everything there is one: all that was decided.
_LISTED: Final = """
    SELECT request_id, closed_at, risk_rank, agent, tool, kind FROM approvals_listing
    WHERE reader = key AND closed_at IS NOT NULL ORDER BY closed_at DESC, request_id DESC"""
_EVERYTHING: Final = """
    SELECT id AS request_id, decided_at AS closed_at, risk_rank, agent, tool, kind
    FROM approvals_approvalrequest
    WHERE state <> 'pending' ORDER BY decided_at DESC NULLS LAST, id DESC"""
_FITS: Final = """
    (%(rank)s < 0 OR risk_rank = %(rank)s) AND (%(agent)s = '' OR agent = %(agent)s)
    AND (%(tool)s = '' OR tool = %(tool)s) AND (%(kind)s = '' OR kind = %(kind)s)"""
_NEWEST: Final = """
SELECT request_id, closed_at FROM (
    SELECT DISTINCT found.request_id, found.closed_at
    FROM unnest(%(keys)s::bigint[]) AS key, LATERAL (
        SELECT request_id, closed_at FROM ({listed} LIMIT %(looked)s) AS newest
        WHERE {fits} ORDER BY closed_at DESC NULLS LAST, request_id DESC LIMIT %(most)s) AS found
) AS each ORDER BY closed_at DESC NULLS LAST, request_id DESC LIMIT %(most)s"""
_HORIZON: Final = """
SELECT max(beyond.closed_at) FROM unnest(%(keys)s::bigint[]) AS key,
    LATERAL ({listed} OFFSET %(looked)s LIMIT 1) AS beyond"""


class _EachOf(Func):
    template = "(SELECT unnest(%(expressions)s))"
    output_field = UUIDField()


@dataclass(frozen=True)
class Decided:
    """Keys of requests, the newest first. They are listed for the reader, and may be seen where `visible_to`
    says so. `until`: when the last of them was decided, where there may be more."""

    ids: Sequence[UUID]
    until: datetime | None = None

    @property
    def among(self) -> Func:
        """The keys as one parameter of a query: Django takes long to write thousands of them out."""
        return _EachOf(Value(list(self.ids), ArrayField(UUIDField())))


def newest_decided(reader: Reader, asked: Filters, *, most: int) -> Decided:
    """At most `most` of those that fit the filters but for the words. One query."""
    rank, agent, tool, kind = asked.values
    given = {
        "keys": _keys(reader),
        "rank": rank if asked.risk else -1,
        "agent": agent,
        "tool": tool,
        "kind": kind,
        "looked": MOST_LOOKED_THROUGH,
        "most": most,
    }
    found = _asked(_NEWEST, given, reader)
    return Decided([row[0] for row in found], found[-1][1] if len(found) == most else None)


def filters_reach_to(reader: Reader) -> Any:
    """Decisions from before that moment are not looked through by filters; None where all are. One query."""
    given = {"keys": _keys(reader), "looked": MOST_LOOKED_THROUGH}
    ((horizon,),) = _asked(_HORIZON, given, reader)
    return horizon


def _keys(reader: Reader) -> list[int]:
    return [0] if reader.reads_everything else list(reader.groups or ())


def _asked(statement: str, given: dict[str, Any], reader: Reader) -> list[Any]:
    listed = _EVERYTHING if reader.reads_everything else _LISTED
    with connection.cursor() as cursor:
        cursor.execute(statement.format(listed=listed, fits=_FITS), given)
        return list(cursor.fetchall())

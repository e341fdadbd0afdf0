"""What was decided for a reader, newest first: looked up by what is listed for them, never by looking through all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import Func, UUIDField, Value
from django.db.models.expressions import RawSQL

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
_OLDEST: Final = "SELECT closed_at FROM ({newest}) AS newest OFFSET %(place)s - 1 LIMIT 1"
#: Below every rank, and nothing that stands for a person or a group.
_NO_RANK: Final = -9
_NAMED: Final = re.compile(r"%\((\w+)\)s")
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
    found = _asked(_NEWEST, _given(reader, asked, most), reader)
    return Decided([row[0] for row in found], found[-1][1] if len(found) == most else None)


def newest_in_sql(
    group: int, asked: Filters, values: Sequence[Any], bounds: tuple[int, int], *, everything: bool
) -> RawSQL:
    """Keys of the newest of those that fit, as a part of a statement, which spares the way to here and back.

    `group` is what stands for the reader's groups, `values` are what the columns are given, and `bounds` how many
    are looked through by filters and how many are wanted.
    """
    rank, agent, tool, kind = values
    looked, most = bounds
    given = {
        "keys": [0] if everything else group,
        "rank": rank if asked.risk else _NO_RANK,
        "agent": agent if asked.agent else "",
        "tool": tool if asked.tool else "",
        "kind": kind if asked.kind else "",
        "looked": looked,
        "most": most,
    }
    statement = _NEWEST.format(listed=_EVERYTHING if everything else _LISTED, fits=_FITS)
    keys = f"SELECT request_id FROM ({statement}) AS newest"  # noqa: S608 (all of it is ours)
    return RawSQL(  # noqa: S611 (all of it is ours)
        _NAMED.sub("%s", keys), [given[name] for name in _NAMED.findall(keys)]
    )


def moment_of(reader: Reader, asked: Filters, *, place: int) -> Any:
    """When the request was decided that stands in that place of those that fit; None where there are fewer. One
    query."""
    given = {**_given(reader, asked, place), "place": place}
    found = _asked(_OLDEST.format(newest=_NEWEST), given, reader)
    return found[0][0] if found else None


def filters_reach_to(reader: Reader) -> Any:
    """Decisions from before that moment are not looked through by filters; None where all are. One query."""
    given = {"keys": _keys(reader), "looked": MOST_LOOKED_THROUGH}
    ((horizon,),) = _asked(_HORIZON, given, reader)
    return horizon


def _given(reader: Reader, asked: Filters, most: int) -> dict[str, Any]:
    rank, agent, tool, kind = asked.values
    return {
        "keys": _keys(reader),
        "rank": rank if asked.risk else _NO_RANK,
        "agent": agent,
        "tool": tool,
        "kind": kind,
        "looked": MOST_LOOKED_THROUGH,
        "most": most,
    }


def _keys(reader: Reader) -> list[int]:
    return [0] if reader.reads_everything else list(reader.groups or ())


def _asked(statement: str, given: dict[str, Any], reader: Reader) -> list[Any]:
    listed = _EVERYTHING if reader.reads_everything else _LISTED
    with connection.cursor() as cursor:
        cursor.execute(statement.format(listed=listed, fits=_FITS), given)
        return list(cursor.fetchall())

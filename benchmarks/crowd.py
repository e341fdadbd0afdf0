"""A database as a large house has it after years: copies of one parked and one finished run, made with SQL.

One run is parked and one carried through by the product itself, so the rows have the shape that it gives them; the
others are copies with ids, moments, groups and people of their own. Of the tables that the measured pages read,
none is left out.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db.models import Model
from psycopg import sql

GROUPS = ("finance", "support", "security", "operations")
#: One request in so many is for the group of this name alone.
RARE, RARE_EVERY = "legal", 100
SECONDS_APART = 30
AT_ONCE = 100_000

# Ordered by time, as version 7 is, and the same for the same number and word each time.
ID = """(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
    || substr(md5({word} || number), 1, 3) || '8' || substr(md5({word} || number), 4, 15))::uuid"""
NUMBERS = """SELECT number, %s::timestamptz - make_interval(secs => number * {apart}) AS at,
    CASE WHEN number %% {rare} = 0 THEN 0 ELSE 1 + number %% {groups} END AS place
    FROM generate_series(%s::bigint, %s::bigint) AS number"""


def id_of(word: str) -> sql.SQL:
    """The id of the row that belongs to a number."""
    return sql.SQL(ID.format(word=f"'{word}'"))


class Crowd:
    """Copies rows of one database; as its owner, since no service makes a million of anything."""

    def __init__(self, connection: psycopg.Connection[Any], groups: Mapping[str, int]) -> None:
        self._connection = connection
        self._now = datetime.now(UTC)
        self._groups = [groups[RARE], *(groups[name] for name in GROUPS)]

    def copy(
        self, model: type[Model], pk: object, word: str, numbers: range, **changes: Any
    ) -> None:
        """For each number a row like the one that has the key `pk`, with these columns changed: SQL expressions
        that may use `number`, `at` and `place` (0 for the rare group). Its id is that of the word."""
        table = model._meta.db_table
        key = str(model._meta.pk.column)
        columns = [str(f.column) for f in model._meta.concrete_fields if not f.primary_key]
        named = model._meta.pk.get_internal_type() == "UUIDField"
        values = [changes.get(column, sql.Identifier("original", column)) for column in columns]
        statement = sql.SQL(
            "INSERT INTO {table} ({key}{columns}) SELECT {id}{values} "
            "FROM {table} AS original, ({numbers}) AS numbers WHERE original.{pk} = %s"
        ).format(
            table=sql.Identifier(table),
            pk=sql.Identifier(key),
            key=sql.SQL("{}, ").format(sql.Identifier(key)) if named else sql.SQL(""),
            id=sql.SQL("{}, ").format(id_of(word)) if named else sql.SQL(""),
            columns=sql.SQL(", ").join(sql.Identifier(column) for column in columns),
            values=sql.SQL(", ").join(values),
            numbers=sql.SQL(
                NUMBERS.format(apart=SECONDS_APART, rare=RARE_EVERY, groups=len(GROUPS))
            ),
        )
        for first in range(numbers.start, numbers.stop, AT_ONCE):
            last = min(first + AT_ONCE, numbers.stop) - 1
            self._connection.execute(statement, [self._now, first, last, pk])

    def by_place(self, values: Mapping[int, int] | None = None) -> sql.Composable:
        """The id that belongs to a row's place: of its group, or of `values` by group."""
        ids = [values[group] if values else group for group in self._groups]
        return sql.SQL("(ARRAY[{}])[place + 1]").format(sql.SQL(", ").join(map(sql.Literal, ids)))

"""Statements that are executed often, over one cursor for each connection.

Between an approval and its effect PostgreSQL answers most statements faster than Django makes a cursor, and two
wrappers around it, to ask. What is executed here is executed in the same transaction and with the same errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.asyncio import async_unsafe
from psycopg import RawCursor

Parameters = Sequence[Any] | Mapping[str, Any]
_KEPT = "countersign_cursor"


@async_unsafe
def rows(
    sql: str, parameters: Parameters, *, using: str = DEFAULT_DB_ALIAS
) -> list[tuple[Any, ...]]:
    """All rows that the statement gives."""
    connected = connections[using]
    if _is_watched(connected):
        with connected.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    with connected.wrap_database_errors:
        cursor = _executed(connected, sql, parameters)
        return list(cursor.fetchall())


@async_unsafe
def landed(sql: str, parameters: Parameters, *, using: str = DEFAULT_DB_ALIAS) -> int:
    """How many rows the statement wrote."""
    connected = connections[using]
    if _is_watched(connected):
        with connected.cursor() as cursor:
            cursor.execute(sql, parameters)
            return int(cursor.rowcount)
    with connected.wrap_database_errors:
        return int(_executed(connected, sql, parameters).rowcount)


def _is_watched(connected: Any) -> bool:
    """Whether somebody looks at each statement, or another thread may ask over the same connection: then
    Django's own way is taken."""
    return bool(
        connected.execute_wrappers or connected.queries_logged or connected.allow_thread_sharing
    )


def _executed(connected: Any, sql: str, parameters: Parameters) -> Any:
    connected.close_if_health_check_failed()
    if connected.connection is None:
        connected.ensure_connection()
    connected.validate_no_broken_transaction()
    cursor = vars(connected).get(_KEPT)
    if cursor is None or cursor.connection is not connected.connection or cursor.closed:
        cursor = vars(connected)[_KEPT] = RawCursor(connected.connection)
    told, names = _told(sql)
    named = isinstance(parameters, Mapping)
    cursor.execute(told, [parameters[name] for name in names] if named else parameters)
    return cursor


_PLACES = re.compile(r"%(?:%|s|\((\w+)\)s)")


@lru_cache(maxsize=1024)
def _told(sql: str) -> tuple[bytes, list[Any]]:
    """The statement with places as PostgreSQL counts them, and which parameter goes into each where they have names.

    The driver finds them anew each time in a statement of more than 4,096 characters or 50 parameters.
    """
    names: list[Any] = []
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        if found[0] == "%%":
            return "%"
        name = found[1]
        if name is None:
            count += 1
            return f"${count}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    told = _PLACES.sub(place, sql)
    assert not (names and count), "places are named or they are not"
    return told.encode(), names

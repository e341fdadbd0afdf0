"""Statements that are executed often, over one cursor for each connection.

Between an approval and its effect PostgreSQL answers most statements faster than Django makes a cursor, and two
wrappers around it, to ask. What is executed here is executed in the same transaction and with the same errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.utils.asyncio import async_unsafe

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
        cursor = vars(connected)[_KEPT] = connected.create_cursor()
    cursor.execute(sql, parameters)
    return cursor

"""Reading with a statement that a model wrote: few rows, little text, little time, and nothing changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

import psycopg

from demo.steward.faults import Refused, as_sent, told
from demo.steward.session import Session

MOST_ROWS: Final = 100
MOST_CHARACTERS: Final = 20_000
CHUNK: Final = 25
LARGEST_EXACT: Final = 2**53
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Found:
    """The first rows of a query; `truncated` where there was more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    truncated: bool


def read(session: Session, sql: str) -> Found:
    """Run one query in a read-only transaction.

    As a cursor's query, and by the extended protocol, PostgreSQL takes one SELECT and nothing else. Raises
    Refused with a sentence for the model.
    """
    declared = b"DECLARE steward NO SCROLL CURSOR FOR " + as_sent(sql)
    try:
        session.execute(declared, prepare=True)
        columns: tuple[str, ...] = ()
        rows: list[tuple[Cell, ...]] = []
        for names, chunk in _chunks(session):
            columns = names
            rows += chunk
    except psycopg.Error as error:
        raise Refused(told(error)) from error
    kept = _within_limits(rows)
    return Found(columns, tuple(kept), truncated=len(kept) < len(rows))


def _chunks(session: Session) -> Iterator[tuple[tuple[str, ...], list[tuple[Cell, ...]]]]:
    """Rows as they come, until there are none or one more than is needed."""
    fetched = characters = 0
    while fetched <= MOST_ROWS and characters <= MOST_CHARACTERS:
        cursor = session.execute(f"FETCH {CHUNK} FROM steward")
        names = tuple(column.name for column in cursor.description or ())
        chunk = [tuple(_cell(value) for value in row) for row in cursor.fetchall()]
        yield names, chunk
        fetched += len(chunk)
        characters += sum(_length(row) for row in chunk)
        if len(chunk) < CHUNK:
            return


def _within_limits(rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    kept: list[tuple[Cell, ...]] = []
    room = MOST_CHARACTERS
    for row in rows[:MOST_ROWS]:
        room -= _length(row)
        if room < 0:
            break
        kept.append(row)
    return kept


def _length(row: tuple[Cell, ...]) -> int:
    return sum(len(str(cell)) for cell in row)


def _cell(value: Any) -> Cell:
    """A value as JSON has it; numbers that JSON would round are texts."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= LARGEST_EXACT:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)

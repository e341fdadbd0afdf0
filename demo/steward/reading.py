"""Reading with a statement that a model wrote: few rows, little text, little time, and nothing changed."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final, cast

import psycopg

from demo.steward.faults import Refused, as_sent, told
from demo.steward.session import Session

MOST_ROWS: Final = 100
MOST_CHARACTERS: Final = 20_000
MOST_COLUMNS: Final = 50
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

    As a cursor's query, and by the extended protocol, PostgreSQL takes one SELECT and nothing else. Rows come
    one by one, since a number of a few characters can have a hundred thousand digits. Raises Refused with a
    sentence for the model.
    """
    declared = b"DECLARE steward NO SCROLL CURSOR FOR " + as_sent(sql)
    try:
        session.execute(declared, prepare=True)
        columns = _columns(session)
        fetched = session.cursor().stream(f"FETCH {MOST_ROWS + 1} FROM steward")
        # Ended before its last row, it is cancelled on the server.
        with closing(cast("Generator[tuple[Any, ...]]", fetched)) as found:
            rows, truncated = _within_limits(found)
    except psycopg.Error as error:
        raise Refused(told(error)) from error
    return Found(columns, rows, truncated)


def _columns(session: Session) -> tuple[str, ...]:
    """The names of the columns, before any row is made."""
    described = session.execute("FETCH 0 FROM steward").description or ()
    if len(described) > MOST_COLUMNS:
        raise Refused(f"It has {len(described)} columns; {MOST_COLUMNS} is the most.")
    return tuple(column.name for column in described)


def _within_limits(found: Iterable[tuple[Any, ...]]) -> tuple[tuple[tuple[Cell, ...], ...], bool]:
    """The first rows, and whether there was more."""
    kept: list[tuple[Cell, ...]] = []
    room = MOST_CHARACTERS
    for values in found:
        row = tuple(map(_cell, values))
        room -= _length(row)
        if room < 0 or len(kept) == MOST_ROWS:
            return tuple(kept), True
        kept.append(row)
    return tuple(kept), False


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

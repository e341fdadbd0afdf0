"""Taking a change back: each row as it was before, if it still is as the change left it."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import sql

from demo.steward.catalogue import KEY, LEDGER_ROWS, TABLES
from demo.steward.changing import Touched, ledger, note
from demo.steward.faults import Refused, told
from demo.steward.session import Session

_PUT_BACK: Final = sql.SQL(
    "UPDATE {table} AS t SET {assignments} "
    "FROM {rows} AS l, LATERAL jsonb_populate_record(NULL::{table}, l.before) AS r "
    "WHERE l.id = %s AND t.{key} = r.{key} AND to_jsonb(t) = l.after"
)
_TAKE_OUT: Final = sql.SQL(
    "DELETE FROM {table} AS t USING {rows} AS l WHERE l.id = %s AND to_jsonb(t) = l.after"
)
_PUT_IN: Final = sql.SQL(
    "INSERT INTO {table} ({columns}) SELECT {columns_of_r} "
    "FROM {rows} AS l, LATERAL jsonb_populate_record(NULL::{table}, l.before) AS r WHERE l.id = %s"
)


def revert(session: Session, done: str, *, key: str) -> list[Touched]:
    """Take back what the change with the key `done` did, once for `key`; the rows that this touched.

    Raises Refused, with nothing done, where a row was changed since.
    """
    try:
        if not note(session, key, f"Undo of {done}"):
            return ledger(session, key)
        for row in reversed(ledger(session, done)):
            if session.execute(_statement(row), [row.entry]).rowcount != 1:
                raise Refused("A row was changed since; nothing was taken back.")
        session.execute("SET CONSTRAINTS ALL IMMEDIATE")
        rows = ledger(session, key)
    except psycopg.Error as error:
        raise Refused(told(error)) from error
    session.commit()
    return rows


def _statement(row: Touched) -> sql.Composed:
    table = TABLES[row.table]
    parts = {
        "table": sql.Identifier(row.table),
        "rows": sql.Identifier(LEDGER_ROWS),
        "key": sql.Identifier(KEY),
    }
    if row.before is None:
        return _TAKE_OUT.format(**parts)
    names = sorted(table.readable if row.after is None else table.writable)
    columns, old = map(sql.Identifier, names), (sql.Identifier("r", name) for name in names)
    if row.after is None:
        commas = sql.SQL(", ")
        return _PUT_IN.format(columns=commas.join(columns), columns_of_r=commas.join(old), **parts)
    pairs = (sql.SQL("{} = {}").format(*pair) for pair in zip(columns, old, strict=True))
    return _PUT_BACK.format(assignments=sql.SQL(", ").join(pairs), **parts)

"""Changing rows with a statement that a model wrote: tried out and rolled back, or carried out once for a key.

What it touched is what the tables' trigger wrote down in the same transaction, not what the statement seems to say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import psycopg
from psycopg import sql

from audit.canonical import canonical_bytes, sha256_hex
from demo.steward.catalogue import KEY, LEDGER, LEDGER_ROWS
from demo.steward.faults import Refused, as_sent, told
from demo.steward.session import CHANGE_KEY, Session

MOST_ROWS: Final = 16
"""As many as one call can hold for itself."""
MOST_CHARACTERS: Final = 50_000
"""Of all rows before and after together."""
_LEDGER: Final = {"ledger": sql.Identifier(LEDGER), "rows": sql.Identifier(LEDGER_ROWS)}
_NOTE: Final = sql.SQL(
    "INSERT INTO {ledger} (key, statement) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING key"
).format(**_LEDGER)
_ROWS: Final = sql.SQL(
    'SELECT "table", before::text, after::text, id FROM {rows} WHERE change_key = %s ORDER BY id'
).format(**_LEDGER)
_MEASURED: Final = sql.SQL(
    "SELECT count(*), coalesce(sum(length(before::text)), 0) + coalesce(sum(length(after::text)), 0) "
    "FROM {rows} WHERE change_key = %s"
).format(**_LEDGER)
Image = dict[str, str | int | bool | None]


@dataclass(frozen=True)
class Touched:
    """A row as it was and as it is; None where there was or is none. Decimals are texts.

    `entry` is the number of the ledger's row.
    """

    table: str
    before: Image | None
    after: Image | None
    entry: int = 0

    @property
    def key(self) -> Any:
        return (self.after or self.before or {}).get(KEY)

    def as_data(self) -> dict[str, Any]:
        """What of it stays the same however often it is tried: a new row's number does not."""
        new = self.before is None and self.after is not None
        after = {k: v for k, v in (self.after or {}).items() if k != KEY} if new else self.after
        return {"table": self.table, "before": self.before, "after": after}


def digest_of(rows: list[Touched]) -> str:
    """`sha256:` + hex of the rows before and after, in one order."""
    images = sorted((row.as_data() for row in rows), key=canonical_bytes)
    return sha256_hex(canonical_bytes(images))


def try_out(session: Session, statement: str) -> list[Touched]:
    """What the statement would touch. The session's transaction is rolled back, so that nothing is changed.

    Raises Refused with a sentence for the model.
    """
    key = f"trial-{uuid4()}"
    try:
        assert note(session, key, statement), "a new key"
        return _run(session, key, statement)
    except psycopg.Error as error:
        raise Refused(told(error)) from error
    finally:
        session.rollback()


def apply(session: Session, statement: str, *, key: str, expected: str) -> list[Touched]:
    """Carry the statement out and commit, once for each key; the rows that it touched, now or earlier.

    Raises Refused, with nothing done, also where the rows are not those of the digest `expected` (not
    compared when empty). Where the connection is lost while it commits, psycopg's own error says that
    nobody knows.
    """
    try:
        if not note(session, key, statement):
            return ledger(session, key)
        rows = _run(session, key, statement)
        if expected and digest_of(rows) != expected:
            raise Refused(
                "Other rows than those that were approved would be touched now. Nothing was done."
            )
    except psycopg.Error as error:
        raise Refused(told(error)) from error
    session.commit()
    return rows


def ledger(session: Session, key: str) -> list[Touched]:
    """The rows that the change with this key touched; none where there is no such change."""
    found = session.execute(_ROWS, [key])
    return [
        Touched(table, _image(before), _image(after), entry)
        for table, before, after, entry in found
    ]


def stands(session: Session, rows: list[Touched]) -> bool:
    """Whether every row is as the change left it, or gone where it deleted it."""
    return all(_now(session, row) == row.after for row in rows)


def note(session: Session, key: str, statement: str) -> bool:
    """Note the change under its key, which waits for whoever is noting the same; False where it is there."""
    noted = session.execute(_NOTE, [key, as_sent(statement).decode()])
    session.execute(sql.SQL("SET LOCAL {} = {}").format(sql.SQL(CHANGE_KEY), sql.Literal(key)))
    return noted.fetchone() is not None


def _run(session: Session, key: str, statement: str) -> list[Touched]:
    # PREPARE takes one SELECT, INSERT, UPDATE, DELETE or MERGE, and the extended protocol one statement.
    session.execute(b"PREPARE steward AS " + as_sent(statement), prepare=True)
    session.execute("EXECUTE steward")
    # What else would only be found out by committing.
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")
    _need_readable(session, key)
    return ledger(session, key)


def _need_readable(session: Session, key: str) -> None:
    """Raise Refused where it touches more than a person reads, before it is all fetched."""
    ((number, length),) = session.execute(_MEASURED, [key])
    if number > MOST_ROWS:
        raise Refused(
            f"It would touch {number} rows; {MOST_ROWS} is the most. Do it in parts that can be read."
        )
    if length > MOST_CHARACTERS:
        raise Refused(f"It is about {length} characters of text; {MOST_CHARACTERS} is the most.")


def _now(session: Session, row: Touched) -> Image | None:
    query = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t WHERE {} = %s").format(
        sql.Identifier(row.table), sql.Identifier(KEY)
    )
    found = session.execute(query, [row.key]).fetchone()
    return _image(found[0]) if found else None


def _image(text: str | None) -> Image | None:
    if text is None:
        return None
    image: Image = json.loads(text, parse_float=str)
    return image

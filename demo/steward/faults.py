"""What a model is told when the database says no. Never with a row's own text in it: that taints nobody."""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors


class Refused(Exception):
    """The statement was refused and did nothing; the text is for the model to read."""


_SENTENCES: Final[tuple[tuple[type[psycopg.Error], str], ...]] = (
    (
        errors.QueryCanceled,
        "It took too long and was stopped. Ask for less: fewer tables, a WHERE.",
    ),
    (errors.LockNotAvailable, "Somebody else is changing these rows. Try again later."),
    (errors.ReadOnlySqlTransaction, "A query may not change anything."),
    (errors.InsufficientPrivilege, "The login may not do that. describe_tables says what it may."),
    (errors.UniqueViolation, "A row with such a value exists already."),
    (
        errors.ForeignKeyViolation,
        "Other rows point at this one, or it points at one that is not there.",
    ),
    (errors.CheckViolation, "The values contradict each other; the table does not take them."),
    (errors.NotNullViolation, "A column that needs a value would have none."),
    (errors.StringDataRightTruncation, "A text is longer than its column takes."),
    (errors.ConfigurationLimitExceeded, "It needs too much space. Ask for less."),
    (errors.OutOfMemory, "It needs too much space. Ask for less."),
    (errors.DataError, "A value does not fit what is asked of it."),
)


def as_sent(statement: str) -> bytes:
    """The statement's bytes. Refused where the server would read another one, or none at all."""
    if "\x00" in statement:
        raise Refused("The statement holds a NUL character.")
    try:
        return statement.encode()
    except UnicodeEncodeError as error:
        raise Refused("The statement holds something that is no character.") from error


def told(error: psycopg.Error) -> str:
    """A sentence with the error's code. Messages about the statement's own words are passed on."""
    code = error.sqlstate or "no code"
    for kind, sentence in _SENTENCES:
        if isinstance(error, kind):
            return f"{sentence} ({code})"
    if code.startswith("42"):
        # Syntax, and names that are not there: PostgreSQL quotes the statement, and no row.
        return f"{error.diag.message_primary or 'It cannot be understood.'} ({code})"
    return f"The database refused the statement. ({code})"

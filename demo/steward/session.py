"""Sessions of data-steward's own database login: each looks at its fence before a statement may run in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.conf import settings
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege

from demo.steward.fence import breaches

CHANGE_KEY: Final = "steward.change"
"""The session's setting from which the trigger takes the key of the change at hand."""
CONNECT_SECONDS: Final = 5
LOCK_SECONDS: Final = 2
SETTING: Final = "COUNTERSIGN_DEMO_STEWARD_URL"

Session = psycopg.Connection[tuple[Any, ...]]


class NoLogin(Exception):
    """The login is not named, or can do more or less than it must; the text says what to change."""


class Unreachable(Exception):
    """The server lets nobody in now."""


def login_name(url: str) -> str:
    """The login in an address; empty where none is named."""
    try:
        return str(conninfo_to_dict(url).get("user") or "") if url else ""
    except ProgrammingError:
        return ""


@contextmanager
def open_session(*, writing: bool = False) -> Iterator[Session]:
    """A transaction of the steward's login, rolled back at the end unless it was committed before.

    Raises NoLogin, and Unreachable where nobody answers; never falls back to another login.
    """
    config = settings.COUNTERSIGN
    with session_of(
        config.demo_steward_url, config.demo_steward_seconds, writing=writing
    ) as session:
        yield session


@contextmanager
def session_of(url: str, seconds: float, *, writing: bool) -> Iterator[Session]:
    """The same for the login of an address; `seconds` bound each statement."""
    name = login_name(url)
    if not name:
        raise NoLogin(
            f"{SETTING} names no login. data-steward needs a database login of its own, and never uses "
            "the application's; docs/data-steward.md says how to make one."
        )
    session = _connected(url, seconds)
    try:
        session.execute(f"BEGIN ISOLATION LEVEL READ COMMITTED {_MODES[writing]}")
        _need_fence(session, name)
        yield session
    finally:
        # Ends the transaction, whatever state it is in.
        session.close()


def _need_fence(session: Session, name: str) -> None:
    try:
        prove_login(session, name)
        found = breaches(session)
    except InsufficientPrivilege as error:
        raise NoLogin(
            f"The login of {SETTING} may not look up what it may do. `manage.py migrate` grants it that."
        ) from error
    if found:
        raise NoLogin(f"The login of {SETTING} is not fenced in: {' '.join(found)}")


def prove_login(session: Session, name: str) -> None:
    """Raise NoLogin unless what runs now runs as this login, and as nobody else."""
    row = session.execute("SELECT session_user::text, current_user::text").fetchone()
    if row != (name, name):
        raise NoLogin(f"The session is not one of {name}; nothing was run in it.")


_MODES: Final = {False: "READ ONLY", True: "READ WRITE"}


def _connected(url: str, seconds: float) -> Session:
    bounds = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{max(1, round(seconds * 1000))}ms",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{round(seconds * 1000) + 10_000}ms",
        "search_path": "public,pg_temp",
        "standard_conforming_strings": "on",
        "timezone": "UTC",
        "datestyle": "ISO",
    }
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            application_name="data-steward",
            client_encoding="utf8",
            options=" ".join(f"-c {name}={value}" for name, value in bounds.items()),
        )
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"The database did not let the steward's login in ({type(error).__name__})."
        ) from error

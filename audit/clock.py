"""The database's clock: the one clock that all processes share."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from audit.statements import rows


class _Moment(threading.local):
    at: datetime | None = None


_moment = _Moment()


def database_now() -> datetime:
    """The moment at which the database answers, aware, in microseconds; inside `one_moment` that one."""
    if _moment.at is not None:
        return _moment.at
    moment: datetime = rows("SELECT clock_timestamp()", ())[0][0]
    return moment


def moment_of(row: object) -> datetime:
    """When a row was read, for one that was read with the clock (`prepared.CLOCK`)."""
    moment: datetime = vars(row)["read_at"]
    return moment


@contextmanager
def one_moment(at: datetime | None) -> Iterator[None]:
    """What is done in here is done at one moment, which the database said when its row was locked.

    For a transaction that waits for nothing but the database. None: time passes in here, as where foreign
    code is called.
    """
    before, _moment.at = _moment.at, at
    try:
        yield
    finally:
        _moment.at = before

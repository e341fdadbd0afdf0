"""The database's clock: one moment for a transaction, and never one from before a wait."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest
from django.db import connection, transaction

from accounts.models import ReviewGroup
from audit.clock import database_now, moment_of, one_moment
from audit.prepared import CLOCK, Prepared, locking_first

_LOCKED = Prepared(
    lambda: ReviewGroup.objects.annotate(read_at=CLOCK).order_by(),
    rewrite=locking_first(ReviewGroup),
)
PATIENCE_SECONDS = 20
_WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)"


@pytest.mark.django_db
def test_what_is_done_at_one_moment_bears_one_time() -> None:
    at = database_now()
    elsewhere: list[datetime] = []

    def look() -> None:
        elsewhere.append(database_now())
        connection.close()

    with one_moment(at):
        assert database_now() == database_now() == at
        with one_moment(None):
            assert database_now() > at
        assert database_now() == at
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert elsewhere[0] > at
    assert database_now() > at


@pytest.mark.django_db
def test_a_moment_ends_with_what_failed_in_it() -> None:
    at = database_now()
    with pytest.raises(RuntimeError), one_moment(at):
        raise RuntimeError
    assert database_now() > at


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("title", ["Finance", "Payments"])
def test_a_row_that_had_to_be_waited_for_is_read_at_a_moment_after_the_wait(title: str) -> None:
    group = ReviewGroup.objects.create(slug="finance", title="Finance")
    seen: list[tuple[str, datetime]] = []
    pids: list[int] = []

    def take() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
        with transaction.atomic():
            row = _LOCKED.one(before=[group.pk])
            assert row is not None
            seen.append((row.title, moment_of(row)))
        connection.close()

    def is_waited_for() -> bool:
        if not pids:
            return False
        with connection.cursor() as cursor:
            cursor.execute(_WAITING, pids)
            return bool(cursor.fetchone()[0])

    with transaction.atomic():
        locked = ReviewGroup.objects.select_for_update().get(pk=group.pk)
        if title != locked.title:
            ReviewGroup.objects.filter(pk=group.pk).update(title=title)
        thread = threading.Thread(target=take)
        thread.start()
        ends = time.monotonic() + PATIENCE_SECONDS
        while not is_waited_for():
            assert time.monotonic() < ends, "nobody waits for the row"
            assert thread.is_alive(), "the row was not locked"
        released = database_now()
    thread.join()
    assert [each for each, _ in seen] == [title]
    assert seen[0][1] > released

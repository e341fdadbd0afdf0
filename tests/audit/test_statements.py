"""Statements over one kept cursor: the same transaction, the same errors, and a connection that comes and goes."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.transaction import TransactionManagementError

from accounts.models import ReviewGroup
from agents.worker import close_lost_connections
from audit import keyring
from audit.keyring import at_hand, key_of, keys_for, put_at_hand
from audit.statements import landed, rows
from audit.writes import insert

NAMED = "SELECT title FROM accounts_reviewgroup WHERE slug = %s"


def test_what_is_written_is_rolled_back_with_the_transaction_around_it(db: None) -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        insert(ReviewGroup(slug="kept", title="Kept"))
        assert rows(NAMED, ["kept"]) == [("Kept",)]
        assert landed("UPDATE accounts_reviewgroup SET title = 'x' WHERE slug = %s", ["kept"]) == 1
        raise ZeroDivisionError
    assert rows(NAMED, ["kept"]) == []


def test_errors_are_djangos_and_a_broken_transaction_takes_no_more(db: None) -> None:
    insert(ReviewGroup(slug="twice", title="Twice"))
    with pytest.raises(IntegrityError), transaction.atomic():
        insert(ReviewGroup(slug="twice", title="Twice"))
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            rows(NAMED, ["twice"])
    assert rows(NAMED, ["twice"]) == [("Twice",)]


def test_parameters_go_to_their_places_by_name_or_in_order_however_many_there_are(db: None) -> None:
    many = [f"value {place}" for place in range(60)]
    listed = f"SELECT ARRAY[{', '.join(['%s::text'] * 60)}], 7 %% 4"
    named = f"SELECT %(b)s::text, %(a)s::text, %(b)s::text LIKE 'v%%'{' ' * 5_000}"
    given = {"a": "x", "b": "v2", "unused": 3}
    watch = connection.execute_wrapper(lambda execute, *args: execute(*args))
    for watched in (nullcontext(), watch):
        with watched:
            assert rows(listed, many) == [(many, 3)]
            assert rows(named, given) == [("v2", "x", True)]
            assert rows("SELECT 1", {}) == rows("SELECT 1", ()) == [(1,)]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_closed_from_either_end_is_made_anew() -> None:
    assert rows("SELECT 1", ()) == [(1,)]
    connection.close()
    [(first,)] = rows("SELECT pg_backend_pid()", ())
    close_lost_connections()
    assert vars(connections["default"])["health_check_done"], (
        "a connection without news is not asked"
    )
    assert rows("SELECT pg_backend_pid()", ()) == [(first,)]
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    finally:
        other.close()
    close_lost_connections()
    [(second,)] = rows("SELECT pg_backend_pid()", ())
    assert second != first


@pytest.mark.django_db(transaction=True)
def test_a_key_is_read_once_for_a_transaction_and_not_kept_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []
    read = keyring._read

    def reading(wanted: list[str], kept: dict[str, keyring.DataKey]) -> dict[str, keyring.DataKey]:
        asked.append(wanted)
        return read(wanted, kept)

    monkeypatch.setattr(keyring, "_read", reading)
    group = ReviewGroup.objects.create(slug=f"g{uuid4().hex}", title="Keys")
    subject = f"group:{group.pk}"
    with transaction.atomic(), at_hand():
        made = keys_for([subject])
        assert keys_for([subject]) == made
    assert asked == [[subject]]
    assert keys_for([subject]) == made
    assert asked == [[subject]] * 2, "it is not kept beyond its transaction"
    asked.clear()
    with transaction.atomic(), at_hand():
        put_at_hand(subject, ReviewGroup.objects.annotate(subject_key=key_of("group")).get())
        assert keys_for([subject]) == made
    assert asked == []
    with transaction.atomic(), at_hand():
        with suppress(ZeroDivisionError), transaction.atomic():
            keys_for(["group:new"])
            raise ZeroDivisionError
        lasting = keys_for(["group:new"])
    assert keys_for(["group:new"]) == lasting, "a key that was rolled back was used again"

"""Streams: numbered and linked whoever writes at the same time, refused where they do not continue."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import orjson
import pytest
from django.db import IntegrityError, connection, connections, transaction

from audit.fsck import Checked, check
from audit.models import Event, Stream
from audit.recorder import record
from tests.audit.conftest import REVIEWER, Record

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> T:
    """Do the work over a connection of its own, and wait for it."""

    def and_close() -> T:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(and_close).result(timeout=30)


def write(count: int, start: threading.Barrier) -> None:
    try:
        start.wait(timeout=30)
        for _ in range(count):
            with transaction.atomic():
                record(type="request.claimed", actor=REVIEWER, stream="policy")
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_leave_no_gap_and_no_fork() -> None:
    start = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write, 25, start) for _ in range(4)]:
            done.result(timeout=60)
    events = list(Event.objects.in_stream("policy").order_by("seq"))
    assert [event.seq for event in events] == list(range(1, 101))
    for before, after in pairwise(events):
        assert bytes(after.prev or b"") == bytes(before.leaf_hash)
        assert before.occurred_at <= after.occurred_at
    assert list(check(Checked())) == []


@pytest.mark.django_db(transaction=True)
def test_the_second_writer_waits_for_the_first_and_follows_it() -> None:
    written = threading.Event()

    def second() -> int:
        with transaction.atomic():
            written.set()
            event = record(type="request.claimed", actor=REVIEWER, stream="policy")
        return Event.objects.get(pk=event).seq

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            record(type="request.claimed", actor=REVIEWER, stream="policy")
            waiting = pool.submit(in_thread, second)
            assert written.wait(timeout=30)
        assert waiting.result(timeout=30) == 2


@pytest.mark.django_db(transaction=True)
def test_a_writer_that_rolls_back_leaves_no_gap(recorded: Record) -> None:
    recorded(stream="policy")
    with transaction.atomic():
        record(type="request.claimed", actor=REVIEWER, stream="policy")
        transaction.set_rollback(True)
    assert recorded(stream="policy").seq == 2


@pytest.mark.django_db(transaction=True)
def test_streams_do_not_wait_for_each_other() -> None:
    def other() -> int:
        with transaction.atomic():
            event = record(type="request.claimed", actor=REVIEWER, stream="log")
        return Event.objects.get(pk=event).seq

    with transaction.atomic():
        record(type="request.claimed", actor=REVIEWER, stream="policy")
        assert in_thread(other) == 1


@pytest.fixture
def owner() -> Any:
    return connections["owner"]


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.parametrize(
    "forged",
    [
        {"seq": 3},
        {"seq": 1, "prev": None},
        {"prev": "sha256:" + "00" * 32},
        {"prev": None},
        {"stream": "nowhere"},
    ],
)
def test_an_event_that_does_not_continue_its_stream_is_refused(
    recorded: Record, forged: dict[str, Any]
) -> None:
    first = recorded(stream="policy")
    body = orjson.loads(bytes(first.body))
    body |= {"seq": 2, "prev": f"sha256:{first.leaf_hex}"} | forged
    with pytest.raises(IntegrityError, match="does not continue"):
        insert(body)
    insert(body | {"seq": 2, "prev": f"sha256:{first.leaf_hex}", "stream": "policy"} | ID)
    assert Stream.objects.get(name="policy").seq == 2


ID = {"id": "01a1fae6-52ea-7d20-9c84-529a0f2dd01c"}


def insert(body: dict[str, Any]) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_event (body) VALUES (%s)",
            [orjson.dumps(body, option=orjson.OPT_SORT_KEYS)],
        )

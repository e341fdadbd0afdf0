"""Looks are let in a few at a time, and nobody waits behind what is read slowly or sent slowly."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.http.response import HttpResponseBase

from countersign import in_turn
from countersign.in_turn import InTurn

LOOK = "/inbox/rows/"
PATIENCE_SECONDS = 5

trace: ContextVar[str] = ContextVar("trace", default="")


class House:
    """Pages that work until they are told to answer, an application for the rest, and a door in front of both."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.answered: list[str] = []
        self.passed = 0
        self.traces: list[str] = []
        self.go_on = threading.Event()
        self.quiet = threading.Event()
        self.quiet.set()
        self.finished = 0
        self._lock = threading.Lock()
        self.door = InTurn(self._application, pages=self, paths=[LOOK], at_once=2)

    def answer(self, scope: MutableMapping[str, Any]) -> HttpResponseBase:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.traces.append(trace.get())
        trace.set("left behind")
        assert self.go_on.wait(PATIENCE_SECONDS)
        with self._lock:
            self.inside -= 1
        if scope.get("fails"):
            raise RuntimeError("the view failed")
        self.answered.append(scope["path"])
        return HttpResponse()

    async def send_response(self, response: HttpResponseBase, send: Any) -> None:
        await send({"type": "http.response.start", "status": response.status_code})

    async def _application(self, scope: MutableMapping[str, Any], _: Any, send: Any) -> None:
        self.passed += 1
        await send({"type": "http.response.start", "status": 200})

    def ask(self, path: str = LOOK, *, reader: Any = None, **more: Any) -> asyncio.Task[None]:
        async def read(_: Any) -> None:
            if reader is not None:
                await reader.wait()

        async def receive() -> Any:
            return {"type": "http.request"}

        headers, method = more.pop("headers", []), more.pop("method", "GET")
        scope = {"type": "http", "path": path, "headers": headers, "method": method, **more}
        return asyncio.get_running_loop().create_task(self.door(scope, receive, read))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 (what is waited for happens in threads)
            await asyncio.sleep(0.001)


async def test_so_many_looks_are_answered_at_a_time_and_all_of_them_in_the_end() -> None:
    house = House()
    asked = [house.ask() for _ in range(10)]
    await until(lambda: house.inside == 2)
    house.go_on.set()
    await asyncio.gather(*asked)
    assert (house.most, len(house.answered)) == (2, 10)
    # Whoever comes when nobody sits any more is answered as well.
    await asyncio.wait_for(house.ask(), PATIENCE_SECONDS)


async def test_what_is_no_look_waits_for_nobody() -> None:
    house = House()
    looks = [house.ask() for _ in range(5)]
    await until(lambda: house.inside == 2)
    await asyncio.gather(
        house.ask("/requests/x/decide/"),
        house.ask(method="POST"),
        # It may never end.
        house.ask(headers=[(b"content-length", b"9")]),
        house.ask(headers=[(b"transfer-encoding", b"chunked")]),
    )
    assert (house.passed, house.answered) == (4, [])
    house.go_on.set()
    await asyncio.gather(*looks)


async def test_a_look_gives_way_to_what_is_done_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House()
    house.go_on.set()
    house.quiet.clear()
    monkeypatch.setattr(in_turn, "GIVES_WAY_SECONDS", PATIENCE_SECONDS * 2)
    asked = [house.ask() for _ in range(5)]
    await house.ask(method="POST")
    assert house.answered == []
    house.quiet.set()
    await asyncio.wait_for(asyncio.gather(*asked), PATIENCE_SECONDS)
    # Something is done that does not end.
    house.quiet.clear()
    monkeypatch.setattr(in_turn, "GIVES_WAY_SECONDS", 0.001)
    await asyncio.wait_for(house.ask(), PATIENCE_SECONDS)


async def test_an_answer_that_is_read_slowly_holds_up_nobody() -> None:
    house = House()
    house.go_on.set()
    reads = asyncio.Event()
    slow = [house.ask(reader=reads) for _ in range(2)]
    await asyncio.wait_for(house.ask(), PATIENCE_SECONDS)
    reads.set()
    await asyncio.gather(*slow)


async def test_a_look_that_fails_gives_its_turn_back() -> None:
    house = House()
    house.go_on.set()
    failed = [house.ask(fails=True) for _ in range(4)]
    found = await asyncio.gather(*failed, return_exceptions=True)
    assert all(isinstance(each, RuntimeError) for each in found)
    await asyncio.wait_for(house.ask(), PATIENCE_SECONDS)


async def test_whoever_went_away_while_they_waited_is_not_answered() -> None:
    house = House()
    inside = [house.ask() for _ in range(2)]
    await until(lambda: house.inside == 2)
    gone, stays = house.ask(), house.ask()
    # Both stand in line by then.
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    house.go_on.set()
    await asyncio.gather(*inside, stays)
    assert len(house.answered) == 3


async def test_each_look_has_what_its_own_request_set_and_nothing_of_the_one_before() -> None:
    house = House()
    house.go_on.set()
    asked = []
    for name in ("first", "second", "third"):
        trace.set(name)
        asked.append(house.ask())
    await asyncio.gather(*asked)
    assert sorted(house.traces) == ["first", "second", "third"]


async def test_connections_are_given_back_when_nobody_waits_any_more() -> None:
    house = House()
    told: list[str] = []

    def note(**_: Any) -> None:
        told.append(threading.current_thread().name)

    request_finished.connect(note)
    try:
        asked = [house.ask() for _ in range(6)]
        house.go_on.set()
        await asyncio.gather(*asked)
        await until(lambda: bool(told))
        assert all(name.startswith("looks") for name in told)
        assert len(told) < 6
    finally:
        request_finished.disconnect(note)


class Asking(House):
    """Asks the database for each look, and loses its connection in the one that fails; the last closes it."""

    def answer(self, scope: MutableMapping[str, Any]) -> HttpResponseBase:
        self.go_on.wait(PATIENCE_SECONDS)
        with connection.cursor() as cursor:
            ends = "SELECT pg_terminate_backend(pg_backend_pid())"
            cursor.execute(ends if scope.get("fails") else "SELECT 1")
        if scope.get("last"):
            connection.close()  # the thread ends with this test
        return HttpResponse()


@pytest.mark.django_db(transaction=True)
async def test_a_connection_that_broke_fails_the_look_that_had_it_and_not_the_next() -> None:
    house = Asking()
    house.door.at_once = 1
    asked = [house.ask(fails=True), house.ask(), house.ask(last=True)]
    # They are answered in a row, by one thread.
    await asyncio.sleep(0)
    house.go_on.set()
    broken, *well = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(broken, OperationalError)
    assert well == [None, None]

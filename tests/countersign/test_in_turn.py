"""Looks are let in a few at a time, and nobody waits behind what is read slowly or sent slowly."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from countersign.in_turn import InTurn

LOOK = "/inbox/rows/"


class House:
    """An application that works until it is told to answer, and a door in front of it."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.answered: list[str] = []
        self.go_on = asyncio.Event()
        self.door = InTurn(self._application, paths=[LOOK], at_once=2)

    async def _application(self, scope: MutableMapping[str, Any], _: Any, send: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.go_on.wait()
        if scope["path"] == "/fails/" or scope.get("fails"):
            self.inside -= 1
            raise RuntimeError("the view failed")
        self.inside -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        self.answered.append(scope["path"])

    def ask(self, path: str = LOOK, *, reader: Any = None, **more: Any) -> asyncio.Task[None]:
        async def read(_: Any) -> None:
            if reader is not None:
                await reader.wait()

        async def receive() -> Any:
            return {"type": "http.request"}

        scope = {"type": "http", "path": path, "headers": more.pop("headers", []), **more}
        return asyncio.get_running_loop().create_task(self.door(scope, receive, read))


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_so_many_looks_are_answered_at_a_time_and_all_of_them_in_the_end() -> None:
    house = House()
    asked = [house.ask() for _ in range(10)]
    await settled()
    assert house.inside == 2
    house.go_on.set()
    await asyncio.gather(*asked)
    assert (house.most, len(house.answered)) == (2, 10)


async def test_what_is_no_look_waits_for_nobody() -> None:
    house = House()
    looks = [house.ask() for _ in range(5)]
    decisions = [house.ask("/requests/x/decide/") for _ in range(3)]
    await settled()
    assert house.inside == 5
    house.go_on.set()
    await asyncio.gather(*looks, *decisions)


async def test_an_answer_that_is_read_slowly_holds_up_nobody() -> None:
    house = House()
    house.go_on.set()
    reads = asyncio.Event()
    slow = [house.ask(reader=reads) for _ in range(2)]
    await settled()
    await asyncio.wait_for(house.ask(), 5)
    reads.set()
    await asyncio.gather(*slow)


async def test_a_look_with_a_body_takes_no_turn_since_it_may_never_end() -> None:
    house = House()
    slow = [house.ask(headers=[(b"content-length", b"9")]) for _ in range(2)]
    looks = [house.ask() for _ in range(2)]
    await settled()
    assert house.inside == 4
    house.go_on.set()
    await asyncio.gather(*slow, *looks)


async def test_a_look_that_fails_gives_its_turn_back() -> None:
    house = House()
    house.go_on.set()
    failed = [house.ask(fails=True) for _ in range(4)]
    found = await asyncio.gather(*failed, return_exceptions=True)
    assert all(isinstance(each, RuntimeError) for each in found)
    await asyncio.wait_for(house.ask(), 5)

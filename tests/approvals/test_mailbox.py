"""What waits for one socket: bounded, newest first of each thing."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from approvals.hub import Hub
from approvals.mailbox import RESYNC, Mailbox
from approvals.pacing import AT_ONCE


async def test_a_mailbox_keeps_the_newest_of_each_thing() -> None:
    mailbox = Mailbox()
    for version in (1, 3, 2):
        mailbox.put({"topic": "request", "id": "a", "version": version, "kind": "x"})
    mailbox.put({"topic": "request", "id": "b", "version": 1, "kind": "x"})
    taken = [await mailbox.take(), await mailbox.take()]
    assert [(hint["id"], hint["version"]) for hint in taken] == [("a", 3), ("b", 1)]
    assert len(mailbox) == 0


async def test_a_page_that_is_too_far_behind_fetches_anew() -> None:
    mailbox = Mailbox(most=3)
    for number in range(5):
        mailbox.put({"topic": "request", "id": str(number), "version": 1, "kind": "x"})
    assert await mailbox.take() == RESYNC
    assert len(mailbox) == 0
    mailbox.put({"topic": "request", "id": "z", "version": 1, "kind": "x"})
    assert (await mailbox.take())["id"] == "z"


async def test_pages_that_are_many_are_told_over_how_long_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = Hub("redis://127.0.0.1:1/0")
    monkeypatch.setattr(hub, "_listen", asyncio.Event().wait)
    crowd = [Mailbox() for _ in range(500)]
    for number, mailbox in enumerate(crowd):
        hub.join(mailbox, {"everybody", *(["few"] if number < AT_ONCE else [])})
    hint = {"topic": "request", "id": "a", "version": 1, "kind": "x"}
    # Those who look one by one would need as long as that.
    for audience, spread in (("everybody", {"within": 1500}), ("few", {})):
        hub.deliver(orjson.dumps({"to": [audience], "hint": hint}))
        assert await crowd[0].take() == hint | spread
    for mailbox in crowd:
        hub.leave(mailbox)

"""What waits for one socket: bounded, newest first of each thing."""

from __future__ import annotations

from approvals.mailbox import RESYNC, Mailbox


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

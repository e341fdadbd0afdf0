"""Bodies are cut off before Django, which would read them whole."""

from collections.abc import MutableMapping
from typing import Any

import pytest

from countersign.body_limit import BodyLimit

LIMIT = 1000
Message = MutableMapping[str, Any]


class Exchange:
    """A request in pieces, and what was answered."""

    def __init__(self, *pieces: bytes, declared: bytes | None = None) -> None:
        self.left = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
            for number, piece in enumerate(pieces)
        ]
        self.headers = [] if declared is None else [(b"content-length", declared)]
        self.sent: list[Message] = []
        self.read = 0

    async def receive(self) -> Message:
        self.read += 1
        return self.left.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    async def through(self) -> "Exchange":
        scope = {"type": "http", "path": "/api/v1/runs", "headers": self.headers}
        await BodyLimit(echo, max_bytes=LIMIT)(scope, self.receive, self.send)
        return self


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    """An application that reads everything first, as Django does."""
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


async def test_a_body_up_to_the_limit_passes() -> None:
    exchange = await Exchange(b"x" * 400, b"x" * 600, declared=b"1000").through()
    assert exchange.status == 200


async def test_a_declared_size_is_refused_before_anything_is_read() -> None:
    exchange = await Exchange(b"x", declared=b"1001").through()
    assert exchange.status == 413
    assert exchange.read == 0
    assert b'"code":"too_large"' in exchange.sent[1]["body"]


@pytest.mark.parametrize("declared", [None, b"10", b"nonsense"])
async def test_an_undeclared_body_is_refused_where_it_passes_the_limit(
    declared: bytes | None,
) -> None:
    exchange = await Exchange(*[b"x" * 400] * 100, declared=declared).through()
    assert exchange.status == 413
    assert exchange.read == 3
    assert (b"connection", b"close") in exchange.sent[0]["headers"]


async def test_a_request_without_a_body_passes() -> None:
    assert (await Exchange(b"").through()).status == 200

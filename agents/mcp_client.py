"""Asking MCP servers: the one module that speaks their protocol.

One connection (or process) a call: it lists the server's tools, compares, and only then calls. What was not sent
yet is told apart from what may have happened. A server's answer is bounded in size, and nothing that it asks of
its client (a model's reply, a person's input, folders) is given. Redirects are followed on the same origin only.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE
from typing import Any, Final, cast

import anyio
import httpx2
from anyio.abc import Process
from mcp import Client, MCPError
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallToolResult,
    RequestParamsMeta,
    jsonrpc_message_adapter,
)

from agents.mcp_pins import Pin, pin_of
from agents.mcp_servers import McpServer

MOST_BYTES: Final = 1_000_000
"""Of all that a server sends in one connection."""
MOST_PAGES: Final = 20
KEY: Final = "countersign/idempotency-key"
CLOSING_SECONDS: Final = 1.0

# Its records quote what servers send; what goes wrong is raised here, in words of ours.
logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)


class NotReached(Exception):
    """Nothing was called: the server could not be asked."""


class NotPinned(Exception):
    """Nothing was called: the server describes the tool otherwise than it is pinned; the text says what of it."""


class NotTaken(Exception):
    """The server's word that it did not do it; untrusted text."""


class AnswerLost(Exception):
    """The call was sent, and what became of it is not known."""


class _TooLarge(Exception):
    """The server sent more than `MOST_BYTES`."""


class _Packed(Exception):
    """The server packed what it sent: what that would be unpacked is not bounded."""


@dataclass(frozen=True)
class Reply:
    """A server's answer: its structured content, or None; and its texts."""

    structured: Any
    text: str


@dataclass
class _Progress:
    sent: bool = False
    done: bool = False
    answer: CallToolResult | None = None
    listed: list[dict[str, Any]] | None = None


def list_tools(server: McpServer, secrets: Mapping[str, str], *, seconds: float) -> dict[str, Pin]:
    """What the server says of its tools, by name. Raises NotReached."""
    progress = _Progress()

    async def ask(client: Client) -> None:
        await _list(client, progress)
        progress.done = True

    _run(server, secrets, progress, ask, seconds)
    return _by_name(progress.listed or [])


def call(
    server: McpServer,
    secrets: Mapping[str, str],
    tool: str,
    arguments: dict[str, Any],
    *,
    pin: Pin,
    key: str,
    seconds: float,
) -> Reply:
    """Call a tool that the server describes as it is pinned.

    Raises NotReached, NotPinned, NotTaken, or AnswerLost.
    """
    progress = _Progress()

    async def ask(client: Client) -> None:
        await _list(client, progress)
        there = _by_name(progress.listed or []).get(tool)
        if there != pin:
            changed = there.differences(pin) if there else ["the tool itself, which is gone"]
            raise NotPinned(", ".join(changed))
        progress.sent = True
        # Not the client's own method: that asks again by itself, and answers what the server asks.
        answer = await client.session.call_tool(
            tool,
            arguments,
            meta=cast(RequestParamsMeta, {KEY: key}),
            allow_input_required=True,
        )
        if not isinstance(answer, CallToolResult):
            raise NotTaken("It asks for more input, which nobody here gives it.")
        progress.answer, progress.done = answer, True

    _run(server, secrets, progress, ask, seconds)
    assert progress.answer is not None, "it was asked, or that it was not is raised"
    return _read(progress.answer)


def _read(answer: CallToolResult) -> Reply:
    texts = [
        str(getattr(block, "text", "")) if block.type == "text" else f"[{block.type} left out]"
        for block in answer.content
    ]
    if answer.is_error:
        raise NotTaken("\n".join(texts))
    return Reply(answer.structured_content, "\n".join(texts))


async def _list(client: Client, progress: _Progress) -> None:
    found: list[dict[str, Any]] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor, cache_mode="bypass")
        found += [
            tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in page.tools
        ]
        cursor = page.next_cursor
        if cursor is None:
            progress.listed = found
            return
    raise NotReached("It lists more pages of tools than anybody could read.")


def _by_name(listed: list[dict[str, Any]]) -> dict[str, Pin]:
    return {str(tool["name"]): pin_of(tool) for tool in listed}


def _run(
    server: McpServer, secrets: Mapping[str, str], progress: _Progress, ask: Any, seconds: float
) -> None:
    async def connected() -> None:
        with anyio.fail_after(seconds):
            async with Client(_transport(server, secrets), cache=None) as client:
                await ask(client)

    try:
        anyio.run(connected)
    # Task groups of the library raise groups of whatever went wrong in them.
    except BaseException as error:
        said = _found(error, (NotPinned, NotTaken, NotReached))
        if said is not None:
            raise said from None
        if not isinstance(error, Exception) and _found(error, (Exception,)) is None:
            raise
        if progress.done:
            # It has answered; only taking leave went wrong.
            return
        raise _judged(error, sent=progress.sent) from None


def _judged(error: BaseException, *, sent: bool) -> Exception:
    refused = _found(error, (MCPError,))
    if (
        isinstance(refused, MCPError)
        and sent
        and refused.code in (METHOD_NOT_FOUND, INVALID_PARAMS)
    ):
        return NotTaken(refused.message)
    if _found(error, (_TooLarge,)):
        why = f"it sent more than {MOST_BYTES:,} bytes"
    elif _found(error, (_Packed,)):
        why = "it packed what it sent, which nobody asked for"
    elif _found(error, (TimeoutError,)):
        why = "its time was up"
    elif sent and _found(error, (RuntimeError,)):
        # The library's word for structured content that its own check refused.
        why = "it does not fit the result that the server declares"
    else:
        first = _found(error, (Exception,)) or error
        why = type(first).__name__
    return (
        AnswerLost(f"The answer was lost: {why}.")
        if sent
        else NotReached(f"Nothing was sent: {why}.")
    )


def _found(error: BaseException, kinds: tuple[type[Exception], ...]) -> Exception | None:
    """The first error of these kinds in it, groups opened."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := _found(each, kinds))), None)
    return error if isinstance(error, kinds) else None


def _transport(server: McpServer, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Any]:
    try:
        filled = server.filled(secrets)
    except KeyError as missing:
        raise NotReached(f"The secret {missing.args[0]} is not set.") from None
    return _over_http(server, filled) if server.url else _over_stdio(server, filled)


@asynccontextmanager
async def _over_http(server: McpServer, headers: dict[str, str]) -> AsyncIterator[Any]:
    plain = {**headers, "Accept-Encoding": "identity"}
    bounded = _Bounded(httpx2.AsyncHTTPTransport())
    async with httpx2.AsyncClient(headers=plain, transport=bounded, timeout=None) as http:
        # The time is that of the whole call; it is bounded around it.
        async with streamable_http_client(server.url, http_client=http) as streams:
            yield streams


class _Bounded(httpx2.AsyncBaseTransport):
    """Ends a connection whose server sends too much, or packs what it sends."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self._left = MOST_BYTES

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            await response.aclose()
            raise _Packed
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _BoundedStream(response.stream, self)
        return response

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise _TooLarge

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, bound: _Bounded) -> None:
        self._inner = inner
        self._bound = bound

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._bound.take(len(piece))
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def _over_stdio(server: McpServer, variables: dict[str, str]) -> AsyncIterator[Any]:
    """The server as a process of its own group, which ends with the call.

    Not the library's: that one keeps a line in memory however long it is.
    """
    heard, told_us = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_tell, tell = anyio.create_memory_object_stream[SessionMessage](0)
    process = await anyio.open_process(
        [server.command, *server.args],
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=get_default_environment() | variables,
        start_new_session=True,
    )
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_hear, process, heard)
            group.start_soon(_tell, process, tell)
            try:
                yield told_us, to_tell
            finally:
                group.cancel_scope.cancel()
    finally:
        for stream in (heard, told_us, to_tell, tell):
            stream.close()
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _hear(process: Process, heard: Any) -> None:
    assert process.stdout is not None
    rest, left = b"", MOST_BYTES
    async with heard:
        async for piece in process.stdout:
            left -= len(piece)
            if left < 0:
                raise _TooLarge
            *lines, rest = (rest + piece).split(b"\n")
            for line in filter(None, lines):
                try:
                    message: Any = SessionMessage(
                        jsonrpc_message_adapter.validate_json(line, by_name=False)
                    )
                except ValueError as error:
                    message = error
                await heard.send(message)


async def _tell(process: Process, tell: Any) -> None:
    assert process.stdin is not None
    async with tell:
        async for message in tell:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            await process.stdin.send(f"{text}\n".encode())


async def _end(process: Process) -> None:
    """End the process and whatever it started; a moment is left to it to end by itself."""
    assert process.stdin is not None
    with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.aclose()
    with anyio.move_on_after(CLOSING_SECONDS):
        await process.wait()
    # The group outlives its leader where that left children behind.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    await process.aclose()

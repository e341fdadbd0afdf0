"""A model server for tests: real HTTP, the chat-completions wire format, replies from a script."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

_ids = count(1)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `body` bytes are sent as they are; `hold` is waited for before sending.

    `raw` is written to the socket in place of an HTTP answer, one piece after the other with `pause` seconds
    in between, and the connection is closed then.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    raw: Iterable[bytes] | None = None
    pause: float = 0.0


def completion(message: dict[str, Any], **more: Any) -> Answer:
    """A well-formed completion around a message."""
    document = {
        "id": f"chatcmpl-{next(_ids)}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, **message},
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        **more,
    }
    return Answer(body=json.dumps(document).encode())


def call(name: str, arguments: dict[str, Any] | str, *, id: str | None = None) -> dict[str, Any]:
    """One tool call; a string is sent as the raw arguments text."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {
        "id": id or f"call_{next(_ids)}",
        "type": "function",
        "function": {"name": name, "arguments": text},
    }


def calls(*made: dict[str, Any]) -> Answer:
    """A reply that makes these calls."""
    return completion({"tool_calls": list(made)})


def says(text: str) -> Answer:
    """A reply in words only."""
    return completion({"content": text})


def judged(arguments: dict[str, Any], confidence: Any = 0.95) -> dict[str, Any]:
    """Arguments with the two fields that every offered tool asks for besides its own."""
    return {**arguments, "confidence": confidence, "rationale": "the ticket says so"}


def final(*, relies_on: Sequence[str] = (), **output: Any) -> Answer:
    """The final answer, with the ids of the calls that it relies on."""
    return calls(call("final_answer", {**output, "relies_on": list(relies_on)}))


def error(status: int, **headers: str) -> Answer:
    """An error answer in the wire format."""
    body = json.dumps({"error": {"message": "scripted", "type": "scripted", "code": None}}).encode()
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


Script = Iterable[Answer] | Callable[[dict[str, Any]], Answer]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        # Who keeps a connection would go on being answered by this one, whatever serves on the port later.
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class ModelServer:
    """Serves on a port of `host`, a free one unless it is named. `requests` holds every body it was sent, in
    order, and `headers` what stood above each."""

    def __init__(self, script: Script = (), *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._closing = threading.Event()
        self.follow(script)
        server = _Server((host, port), self._handler())
        self._server = server
        self.url = f"http://{host}:{server.server_address[1]}/v1"
        # Closing it waits for its next look, and every test closes one.
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    def follow(self, script: Script) -> None:
        """Answer from this script from now on; past its end the server answers 500."""
        if callable(script):
            self._next: Callable[[dict[str, Any]], Answer] = script
            return
        answers = iter(list(script))
        self._next = lambda _request: next(answers, error(500))

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    # Whoever asked died while asking.
                    self.close_connection = True
                    return
                request = json.loads(body)
                outer.requests.append(request)
                outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                answer = outer._next(request)
                if answer.hold is not None:
                    answer.hold.wait(30)
                try:
                    if answer.raw is not None:
                        self._write_raw(answer)
                        return
                    self.send_response(answer.status)
                    headers = {"Content-Type": "application/json", **answer.headers}
                    headers.setdefault("Content-Length", str(len(answer.body)))
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(answer.body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def _write_raw(self, answer: Answer) -> None:
                self.close_connection = True
                for piece in answer.raw or ():
                    self.wfile.write(piece)
                    self.wfile.flush()
                    if outer._closing.wait(answer.pause):
                        return

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: `requests` is the log."""

        return Handler

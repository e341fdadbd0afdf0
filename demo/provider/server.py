"""The provider's HTTP face."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from demo.provider.deliveries import Deliveries
from demo.provider.journal import Answer, Journal, problem
from demo.provider.kinds import PAYOUT, REFUND, Kind
from demo.provider.knobs import Knobs

MAX_BODY_BYTES = 64 * 1024


class Provider(ThreadingHTTPServer):
    """A provider listening on 127.0.0.1. `server_port` is the port, also where 0 was asked for."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, journal: Journal, callback_secret: str = "") -> None:
        self.journal = journal
        self.knobs = Knobs()
        self.closing = threading.Event()
        self.deliveries = Deliveries(callback_secret, self.closing)
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hung up is no error here: the journal has the call, and he may ask again."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """End answers that are being delayed, then the server."""
        self.closing.set()
        self.shutdown()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60.0
    # Without this every answer on a kept connection waits for the peer's delayed acknowledgement.
    disable_nagle_algorithm = True
    server: Provider

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self._send(Answer(200, {"status": "ok"}))
        elif path == "/calls":
            self._send(Answer(200, {"calls": self.server.journal.list_calls()}))
        elif path == "/knobs":
            self._send(Answer(200, {"left": self.server.knobs.left()}))
        elif path.startswith("/refunds/"):
            self._send(self.server.journal.find(REFUND, unquote(path.removeprefix("/refunds/"))))
        elif path.startswith("/payouts/"):
            self._send(self.server.journal.find(PAYOUT, unquote(path.removeprefix("/payouts/"))))
        else:
            self._send(Answer(404, problem("path_unknown", "There is nothing here.")))

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        if path not in {"/refunds", "/payouts", "/mails", "/knobs"}:
            self._refuse(Answer(404, problem("path_unknown", "There is nothing here.")))
            return
        try:
            body = self._body()
        except ValueError as wrong:
            self._refuse(Answer(400, problem("body_unreadable", str(wrong))))
            return
        if path == "/knobs":
            fault = self.server.knobs.turn(body)
            left = {"left": self.server.knobs.left()}
            self._send(Answer(422, problem("knobs_invalid", fault)) if fault else Answer(200, left))
        elif path == "/mails":
            key = self.headers.get("Idempotency-Key", "")
            self._send(self.server.deliveries.accept(key, body))
        else:
            self._move(PAYOUT if path == "/payouts" else REFUND, body)

    def _move(self, kind: Kind, body: Any) -> None:
        trouble = self.server.knobs.next()
        mode = trouble.mode if trouble else None
        if mode == "unavailable":
            self._send(Answer(503, problem("unavailable", "Try again later.")))
            return
        answer = self.server.journal.move(kind, self.headers.get("Idempotency-Key", ""), body)
        if mode == "drop":
            self.close_connection = True
            return
        if mode == "delay" and trouble is not None:
            self.server.closing.wait(trouble.seconds)
        if mode == "fail":
            answer = Answer(500, problem("internal", "Something went wrong."))
        self._send(answer)

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            raise ValueError(f"Send a Content-Length of at most {MAX_BODY_BYTES} bytes.")
        try:
            return json.loads(self.rfile.read(int(length)))
        except (UnicodeDecodeError, json.JSONDecodeError) as wrong:
            raise ValueError("The body is not JSON.") from wrong

    def _refuse(self, answer: Answer) -> None:
        # The body was not read, so the connection cannot carry another request.
        self.close_connection = True
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        content = json.dumps(answer.body, ensure_ascii=False).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Stay silent: the journal says what happened, and the terminal belongs to the demo."""

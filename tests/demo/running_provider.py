"""A payment provider as tests use it: a real process, asked over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BODY = {"payment": "pay_10001", "amount": "42.00", "currency": "EUR"}
COMMAND = [sys.executable, "-m", "demo.provider", "--port", "0", "--data"]


class Process:
    """A running provider."""

    def __init__(self, directory: Path, *more: str) -> None:
        self.popen = subprocess.Popen(
            [*COMMAND, str(directory), *more], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert self.popen.stdout is not None
        self.url = self.popen.stdout.readline().strip().removeprefix("Payment provider: ")
        self.port = int(self.url.rpartition(":")[2])

    def ask(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"Idempotency-Key": key} if key is not None else {}
            connection.request(
                method, path, json.dumps(body) if body is not None else None, headers
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def refund(self, key: str, **changes: Any) -> tuple[int, Any]:
        return self.ask("POST", "/refunds", {**BODY, **changes}, key)

    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self.ask("GET", "/calls")[1]["calls"]
        return calls

    def end(self, number: int = signal.SIGTERM) -> int:
        self.popen.send_signal(number)
        code = self.popen.wait(timeout=10)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        return code


@contextmanager
def running(directory: Path) -> Iterator[Process]:
    process = Process(directory)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.end(signal.SIGKILL)

"""What the provider remembers: one JSON Lines file, in which a line is both the call and its effect.

A line is on the disk before its answer is sent. A process killed in the middle of a line leaves a torn last
line behind; its call was never answered and is taken as never made.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any


class DirectoryInUse(Exception):
    """Another provider works in this directory; two would each pay once."""


@dataclass(frozen=True)
class Answer:
    """What a call is told: HTTP status and JSON body."""

    status: int
    body: dict[str, Any]


@dataclass
class Journal:
    """All calls and refunds of one directory. Safe for many threads, refuses a second process."""

    directory: Path
    calls: list[dict[str, Any]] = field(default_factory=list)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._mutex = threading.Lock()
        self._lock_file = (self.directory / "provider.lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            self._lock_file.close()
            raise DirectoryInUse(
                f"Another payment provider already uses {self.directory}."
            ) from busy
        path = self.directory / "calls.jsonl"
        self._read(path)
        self._file = path.open("ab")

    def refund(self, key: str, body: Any) -> Answer:
        """Pay back once per key, and record the call whatever its answer is."""
        with self._mutex:
            answer, refund = self._judge(key, body)
            call = {
                "number": len(self.calls) + 1,
                "received_at": datetime.now(UTC).isoformat(),
                "key": key,
                "body": body,
                "status": answer.status,
                "refund": refund,
            }
            self._write(call)
            self._remember(call)
            return answer

    def find(self, key: str) -> Answer:
        """The refund with this key, or 404."""
        with self._mutex:
            refund = self.refunds.get(key)
        if refund is None:
            return Answer(404, problem("refund_unknown", "There is no refund with this key."))
        return Answer(200, refund)

    def list_calls(self) -> list[dict[str, Any]]:
        """Every recorded call, oldest first."""
        with self._mutex:
            return list(self.calls)

    def close(self) -> None:
        self._file.close()
        self._lock_file.close()

    def _judge(self, key: str, body: Any) -> tuple[Answer, dict[str, Any] | None]:
        """The answer, and the refund that this call makes where it makes one."""
        if not key:
            return Answer(400, problem("key_missing", "Send an Idempotency-Key header.")), None
        wrong = fault_in(body)
        if wrong:
            return Answer(422, problem("body_invalid", wrong)), None
        asked = {"payment": body["payment"], "amount": body["amount"], "currency": body["currency"]}
        present = self.refunds.get(key)
        if present is None:
            refund = {
                "id": f"re_{secrets.token_hex(8)}",
                "key": key,
                **asked,
                "status": "succeeded",
                "created_at": datetime.now(UTC).isoformat(),
            }
            return Answer(201, refund), refund
        if all(present[name] == value for name, value in asked.items()):
            return Answer(201, present), None
        return Answer(409, problem("key_reused", "This key was used for another refund.")), None

    def _remember(self, call: dict[str, Any]) -> None:
        self.calls.append(call)
        if call["refund"] is not None:
            self.refunds[call["key"]] = call["refund"]

    def _write(self, call: dict[str, Any]) -> None:
        self._file.write(json.dumps(call, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        whole, _, torn = path.read_bytes().rpartition(b"\n")
        if torn:
            with path.open("r+b") as file:
                file.truncate(len(whole) + 1 if whole else 0)
                os.fsync(file.fileno())
        for line in whole.splitlines():
            self._remember(json.loads(line))


def problem(code: str, message: str) -> dict[str, Any]:
    """The body of every error."""
    return {"error": {"code": code, "message": message}}


def fault_in(body: Any) -> str:
    """What is wrong with a refund's body, or nothing."""
    if not isinstance(body, dict) or set(body) != {"payment", "amount", "currency"}:
        return "Send an object with payment, amount and currency."
    if not all(isinstance(value, str) and value for value in body.values()):
        return "payment, amount and currency are texts."
    if body["currency"] != "EUR":
        return "Only EUR is paid out."
    try:
        amount = Decimal(body["amount"])
    except InvalidOperation:
        return "amount is a decimal number such as 42.00."
    if not amount.is_finite() or amount <= 0 or amount.as_tuple().exponent != -2:
        return "amount is more than zero and has two decimal places, such as 42.00."
    return ""

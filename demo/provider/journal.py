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
from pathlib import Path
from typing import Any

from demo.provider.kinds import KINDS, Kind, fault_in


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
    made: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

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

    def move(self, kind: Kind, key: str, body: Any) -> Answer:
        """Move money once per kind and key, and record the call whatever its answer is."""
        with self._mutex:
            answer, made = self._judge(kind, key, body)
            call = {
                "number": len(self.calls) + 1,
                "received_at": datetime.now(UTC).isoformat(),
                "key": key,
                "body": body,
                "status": answer.status,
                **{each.name: made if each is kind else None for each in KINDS},
            }
            self._write(call)
            self._remember(call)
            return answer

    def find(self, kind: Kind, key: str) -> Answer:
        """What was made with this key, or 404."""
        with self._mutex:
            made = self.made.get((kind.name, key))
        if made is None:
            said = f"There is no {kind.name} with this key."
            return Answer(404, problem(f"{kind.name}_unknown", said))
        return Answer(200, made)

    def list_calls(self) -> list[dict[str, Any]]:
        """Every recorded call, oldest first."""
        with self._mutex:
            return list(self.calls)

    def close(self) -> None:
        self._file.close()
        self._lock_file.close()

    def _judge(self, kind: Kind, key: str, body: Any) -> tuple[Answer, dict[str, Any] | None]:
        """The answer, and what this call makes where it makes something."""
        if not key:
            return Answer(400, problem("key_missing", "Send an Idempotency-Key header.")), None
        wrong = fault_in(kind, body)
        if wrong:
            return Answer(422, problem("body_invalid", wrong)), None
        asked = {name: body[name] for name in kind.fields}
        present = self.made.get((kind.name, key))
        if present is None:
            made = {
                "id": f"{kind.prefix}_{secrets.token_hex(8)}",
                "key": key,
                **asked,
                "status": "succeeded",
                "created_at": datetime.now(UTC).isoformat(),
            }
            return Answer(201, made), made
        if all(present[name] == value for name, value in asked.items()):
            return Answer(201, present), None
        said = f"This key was used for another {kind.name}."
        return Answer(409, problem("key_reused", said)), None

    def _remember(self, call: dict[str, Any]) -> None:
        self.calls.append(call)
        for kind in KINDS:
            # Lines of an older provider name refunds alone.
            if call.get(kind.name) is not None:
                self.made[kind.name, call["key"]] = call[kind.name]

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

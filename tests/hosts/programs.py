"""The API as careful programs use it over a network that fails: with a time-out, and again with the same key."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Final
from uuid import uuid4

TIMEOUT_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 90.0
PAUSE_SECONDS: Final = 0.25
#: What a process of the other release says.
SWITCHING: Final = "agent_version_not_active"
GATEWAY: Final = frozenset({500, 502, 503, 504})


@dataclass
class Tally:
    """What programs met, counted together."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, seconds: float = 0.0) -> None:
        with self._lock:
            self.counts[name] += 1
            self.slowest = max(self.slowest, seconds)

    def begin(self) -> Counter[str]:
        """What was counted so far; the slowest answer is looked for anew."""
        with self._lock:
            self.slowest = 0.0
            return Counter(self.counts)


class Program:
    """Asks at one address with one token. Whatever it posts may be sent again: it carries a key."""

    def __init__(self, url: str, bearer: str, tally: Tally) -> None:
        self.url = f"{url}/api/v1/"
        self.tally = tally
        self.headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}

    def get(self, path: str) -> Any:
        """The document at `path`."""
        status, document = self.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"{path} gave {status}: {document}")
        return document

    def start(self, agent: str, text: str) -> str:
        """Start a run; its id. In the moment in which a deploy switches versions it is asked for again."""
        body = {"agent": agent, "input": text, "idempotency_key": uuid4().hex}
        while True:
            status, run = self.ask("POST", "runs", body)
            if status in (200, 201):
                return str(run["id"])
            if run.get("code") != SWITCHING:
                raise RuntimeError(f"a start gave {status}: {run}")
            self.tally.add(f"starts asked again: {SWITCHING}")
            time.sleep(PAUSE_SECONDS)

    def decide(self, request: dict[str, Any], verdict: str) -> tuple[int, Any]:
        """Decide on what `request` shows; the same nonce with every attempt."""
        seen = {name: request[name] for name in ("revision", "digest", "shown_sha256")}
        body = {"verdict": verdict, "nonce": uuid4().hex, **seen}
        return self.ask("POST", f"approvals/{request['id']}/decisions", body)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request, until it is answered: broken connections and answers of a server in trouble are tried again.

        Raises RuntimeError when patience ends.
        """
        began = time.monotonic()
        while True:
            answer = self._once(method, path, body)
            took = time.monotonic() - began
            if answer is not None and answer[0] not in GATEWAY:
                self.tally.add("requests answered", took)
                return answer
            self.tally.add("requests tried again" if answer is None else f"answers {answer[0]}")
            if took > PATIENCE_SECONDS:
                self.tally.add("requests failed")
                raise RuntimeError(f"{method} {path} was not answered in {took:.0f} seconds")
            time.sleep(PAUSE_SECONDS)

    def _once(self, method: str, path: str, body: object) -> tuple[int, Any] | None:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, headers=self.headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            said = refusal.read()
            return refusal.code, json.loads(said) if said.startswith(b"{") else {"text": said}
        except (OSError, HTTPException, ValueError):
            return None

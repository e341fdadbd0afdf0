"""The API as a program uses it, over real HTTP, as one person."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from uuid import uuid4

from accounts.models import User
from accounts.services.create_token import create_token
from audit.actors import Actor
from tests.harness.stack import Stack

TIMEOUT_SECONDS = 60


class ApiClient:
    """Asks `stack` with a bearer token of the person. Answers are (status, document)."""

    def __init__(self, stack: Stack, person: User) -> None:
        made = create_token(
            person=person, name=f"test {uuid4().hex[:8]}", caller=Actor.system("test")
        )
        self.url = f"{stack.url}/api/v1/"
        self.headers = {
            "Authorization": f"Bearer {made.bearer}",
            "Content-Type": "application/json",
        }

    def get(self, path: str) -> Any:
        """The document at `path`; a refusal is an error of the test."""
        status, document = self.ask("GET", path)
        assert status == 200, (status, document)
        return document

    def post(self, path: str, body: object = None) -> tuple[int, Any]:
        """Post a body; refusals are answers too."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, headers=self.headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def start(self, agent: str, text: object) -> str:
        """Start a run; returns its id."""
        status, run = self.post("runs", {"agent": agent, "input": text})
        assert status == 201, run
        return str(run["id"])

    def decide(self, request: dict[str, Any], verdict: str, **body: object) -> tuple[int, Any]:
        """Decide on what `request`, a document of the API, shows."""
        decision = {
            "verdict": verdict,
            "revision": request["revision"],
            "digest": request["digest"],
            "shown_sha256": request["shown_sha256"],
            "nonce": uuid4().hex,
            **body,
        }
        return self.post(f"approvals/{request['id']}/decisions", decision)

    def pending(self) -> list[dict[str, Any]]:
        """The pending requests that the person may see."""
        return list(self.get("approvals?state=pending")["items"])

"""What people and programs do all day, for locust. Runs in locust's environment: nothing of the product is imported.

Reviewers have the inbox open: a socket, a look at what it hints, a request now and then, and a decision by the page's
own form. Programs start runs and decide over the API. Auditors and operators look at their lists. Who they are comes
from the file that `COUNTERSIGN_LOAD_ACCOUNTS` names.
"""

import json
import os
import random
import re
import time
from itertools import count, cycle
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent
import websocket
from locust import FastHttpUser, constant_throughput, events, task

ACCOUNTS: dict[str, Any] = json.loads(Path(os.environ["COUNTERSIGN_LOAD_ACCOUNTS"]).read_text())
RUNS_A_SECOND = float(os.environ["COUNTERSIGN_LOAD_RUNS_A_SECOND"])
CYCLES = count(1)
ROW = re.compile(r'id="row-([0-9a-f-]{36})"')
FIELD = re.compile(r'<input type="hidden" name="([a-z0-9_]+)" value="([^"]*)"')
FORM = re.compile(r'<form id="decide-form".*?</form>', re.DOTALL)
_reviewers = cycle(ACCOUNTS["reviewers"])


class Reviewer(FastHttpUser):
    """A person with the inbox open in a browser."""

    weight = 20
    wait_time = constant_throughput(0.2)

    def on_start(self) -> None:
        """Sign in with a session that is there, open the socket, look at the list."""
        self.cookie = next(_reviewers)
        self.headers = {"Cookie": self.cookie, "Referer": self.host}
        self.hinted: set[str] = set()
        self.seen: list[str] = []
        self.open = True
        self.listening = gevent.spawn(self._listen)
        self.inbox()

    def on_stop(self) -> None:
        """Close the page."""
        self.open = False
        self.listening.kill()

    @task(2)
    def inbox(self) -> None:
        """The whole page, as on a visit."""
        answer = self._get("/inbox/", "inbox")
        self.seen = ROW.findall(answer.text or "")

    @task(8)
    def look(self) -> None:
        """What was hinted since the last look."""
        named, self.hinted = self.hinted, set()
        if not named:
            return
        ids = "".join(f"&id={name}" for name in named) if len(named) <= 20 else ""
        answer = self._get(f"/inbox/rows/?tab=team&q={ids}", "inbox rows")
        rows = ROW.findall(answer.text or "")
        self.seen = list(dict.fromkeys([*rows, *self.seen]))[:50]

    @task(3)
    def decide(self) -> None:
        """Read a request and approve it by the form on its page; others may have been faster."""
        if not self.seen:
            return
        name = self.seen.pop(random.randrange(len(self.seen)))
        answer = self._get(f"/requests/{name}/", "a request")
        form = FORM.search(answer.text or "")
        if form is None:
            return
        fields = {**dict(FIELD.findall(form[0])), "verdict": "approve"}
        with self.client.post(
            f"/requests/{name}/decide/",
            data=fields,
            headers={**self.headers, "Cookie": self._with_csrf(answer)},
            allow_redirects=False,
            name="decide by its page",
            catch_response=True,
        ) as outcome:
            # 409: somebody else was faster, which is told and is no failure.
            if outcome.status_code in {302, 303, 409}:
                outcome.success()

    def _get(self, path: str, name: str) -> Any:
        return self.client.get(path, headers=self.headers, name=name)

    def _with_csrf(self, answer: Any) -> str:
        given = re.search(r"csrftoken=([^;]+)", answer.headers.get("Set-Cookie", "") or "")
        return f"{self.cookie}; csrftoken={given[1]}" if given else self.cookie

    def _listen(self) -> None:
        """Hear hints; what closes the socket is a failure, and it is opened again."""
        address = self.host.replace("http", "ws", 1) + "/ws/inbox/"
        while self.open:
            try:
                began = time.perf_counter()
                socket = websocket.create_connection(
                    address, cookie=self.cookie, origin=self.host, timeout=60
                )
                _tell("socket opened", began, 0)
                while self.open:
                    text = socket.recv()
                    hint = json.loads(text) if text else {}
                    _tell("hint", None, len(text))
                    if hint.get("topic") == "request":
                        self.hinted.add(hint["id"])
            except websocket.WebSocketTimeoutException:
                # Nothing was hinted for a minute.
                socket.close()
            except (OSError, websocket.WebSocketException) as error:
                _tell("socket lost", None, 0, error)
                gevent.sleep(1)


class Starter(FastHttpUser):
    """A program that starts runs, and looks what became of them."""

    fixed_count = 1
    wait_time = constant_throughput(RUNS_A_SECOND)

    def on_start(self) -> None:
        """Have its token, and no run yet."""
        self.headers = _bearer("starter")
        self.started: list[str] = []

    @task
    def begin(self) -> None:
        """One more run; every tenth time the state and the steps of an earlier one."""
        number = next(CYCLES)
        body = {"agent": "marker", "input": str(number), "idempotency_key": uuid4().hex}
        answer = self.client.post(
            "/api/v1/runs", json=body, headers=self.headers, name="API: start a run"
        )
        if answer.status_code == 201:
            self.started.append(answer.json()["id"])
        if number % 10 == 0 and self.started:
            name = self.started.pop(0)
            path = f"/api/v1/runs/{name}"
            self.client.get(path, headers=self.headers, name="API: a run")
            self.client.get(f"{path}/steps", headers=self.headers, name="API: its steps")


class Decider(FastHttpUser):
    """A program that decides what waits longest, so that no more is parked than is started."""

    fixed_count = 1
    wait_time = constant_throughput(2)

    def on_start(self) -> None:
        """Have its token."""
        self.headers = _bearer("decider")

    @task
    def decide(self) -> None:
        """Approve the requests of one page of the list, once more than a few wait."""
        answer = self.client.get(
            "/api/v1/approvals?state=pending", headers=self.headers, name="API: what waits"
        )
        if answer.status_code != 200:
            return
        waiting = answer.json()["items"]
        for item in waiting[ACCOUNTS["left_waiting"] :]:
            self._approve(item["id"])

    def _approve(self, name: str) -> None:
        path = f"/api/v1/approvals/{name}"
        seen = self.client.get(path, headers=self.headers, name="API: a request").json()
        if seen.get("state") != "pending":
            return
        body = {part: seen[part] for part in ("revision", "digest", "shown_sha256")}
        with self.client.post(
            f"{path}/decisions",
            json={**body, "verdict": "approve", "nonce": uuid4().hex},
            headers=self.headers,
            name="API: decide",
            catch_response=True,
        ) as outcome:
            if outcome.status_code in {200, 201, 409}:
                outcome.success()


class Auditor(FastHttpUser):
    """Somebody who reads the log, over pages and API."""

    fixed_count = 1
    wait_time = constant_throughput(0.2)

    def on_start(self) -> None:
        """Have a session and a token."""
        self.page = {"Cookie": ACCOUNTS["auditor"]}
        self.api = _bearer("auditor")

    @task
    def log(self) -> None:
        """The newest events, on the page and as JSON."""
        self.client.get("/audit/", headers=self.page, name="audit log")
        self.client.get("/api/v1/audit/events", headers=self.api, name="API: audit events")


class Operator(FastHttpUser):
    """Somebody who watches runs."""

    fixed_count = 1
    wait_time = constant_throughput(0.2)

    @task
    def runs(self) -> None:
        """The list of runs."""
        self.client.get("/runs/", headers={"Cookie": ACCOUNTS["operator"]}, name="runs")


def _bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {ACCOUNTS['bearers'][name]}"}


def _tell(name: str, began: float | None, size: int, error: Exception | None = None) -> None:
    taken = 0.0 if began is None else (time.perf_counter() - began) * 1e3
    events.request.fire(
        request_type="WS", name=name, response_time=taken, response_length=size, exception=error
    )

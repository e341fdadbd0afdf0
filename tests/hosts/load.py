"""Operators who start runs and reviewers who decide them, as fast as they are let, for as long as it takes."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from django.db import DatabaseError, connection

from agents.models import EffectRecord, Run
from agents.states import ENDED
from approvals.models import ApprovalRequest
from tests.faults.outside import Recorder, ticket_text
from tests.hosts.programs import Program

OPEN_AT_ONCE: Final = 24
LOOK_SECONDS: Final = 0.3
TOOLS: Final = ("pay", "post", "order", "book")
AMOUNTS: Final = ("20.00", "20.00", "2.00")


class Load:
    """`programs`: an operator's, and one for each reviewer. It runs until `stop`."""

    def __init__(
        self, operator: Program, reviewers: list[Program], recorder: Recorder, *, seed: int
    ) -> None:
        self.operator = operator
        self.reviewers = reviewers
        self.recorder = recorder
        self.draw = random.Random(seed)
        self.runs: list[str] = []
        self.starting = threading.Event()
        self._over = threading.Event()
        self._failed: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._number = 0
        self._ended, self._looked_at = 0, 0.0

    def begin(self) -> None:
        """Start runs and decide them."""
        self.starting.set()
        self._thread(self._operate)
        for reviewer in self.reviewers:
            self._thread(lambda reviewer=reviewer: self._review(reviewer))

    def let_go(self) -> None:
        """Start and decide nothing more."""
        self._over.set()

    def stop(self) -> None:
        """The same, and wait for what is under way. Raises what went wrong."""
        self.let_go()
        for thread in self._threads:
            thread.join(120)
        if self._failed:
            raise self._failed[0]

    def ticket(self) -> str:
        """A ticket that no run has had."""
        self._number += 1
        return f"H{self._number}"

    def _thread(self, body: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                body()
            # Told by `stop`.
            except BaseException as error:  # noqa: BLE001
                self._failed.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _operate(self) -> None:
        while not self._over.is_set():
            if not self.starting.wait(0.2):
                continue
            if len(self.runs) - self.ended() >= OPEN_AT_ONCE:
                self._over.wait(0.1)
                continue
            rounds = [[(self.draw.choice(TOOLS), self.draw.choice(AMOUNTS))]]
            self.runs.append(self.operator.start("works", ticket_text(self.ticket(), rounds)))

    def ended(self) -> int:
        """How many runs have ended; the last known number while the database is away."""
        now = time.monotonic()
        if now - self._looked_at > LOOK_SECONDS:
            try:
                self._ended = Run.objects.filter(state__in=ENDED).count()
            except DatabaseError:
                connection.close()
            self._looked_at = now
        return self._ended

    def _review(self, reviewer: Program) -> None:
        while not self._over.is_set():
            pending = reviewer.get("approvals?state=pending&limit=50")["items"]
            random.shuffle(pending)
            for request in pending:
                if not self._over.is_set():
                    self._decide(reviewer, request)
            self._over.wait(0.2)

    def _decide(self, reviewer: Program, request: dict[str, Any]) -> None:
        verdict = "approve"
        if request["kind"] == "in_doubt":
            try:
                verdict = "happened" if self._happened(request["id"]) else "did_not"
            except DatabaseError:
                connection.close()
                return
        elif request["kind"] != "action":
            verdict = "continue"
        status, document = reviewer.decide(request, verdict)
        if status == 200:
            reviewer.tally.add(f"decided: {verdict}")
        else:
            reviewer.tally.add(f"decisions refused: {document.get('code')}")

    def _happened(self, request_id: str) -> bool:
        """Whether the outside system knows of the call."""
        effect_id = ApprovalRequest.objects.values_list("effect_id", flat=True).get(pk=request_id)
        key = EffectRecord.objects.values_list("idempotency_key", flat=True).get(pk=effect_id)
        return any(call.key == key for call in list(self.recorder.calls))

"""Races between two real processes: started once, fed rounds through pipes, and looked at after each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import orjson

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run, Step
from agents.runner import advance
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest, Vote
from audit.fact_schemas import moment_text
from audit.models import Event
from tests.agents.bank import Bank, teller
from tests.agents.test_effects import PAY
from tests.faults.replay import REQUEST_STATES
from tests.harness.cluster import PROJECT, product_environment
from tests.harness.environment import TestProcess
from tests.harness.rounds import rounds
from tests.invariants.doors import Seen
from tests.model_server import ModelServer, call, calls

BOOKS: Final = Bank()
TELLER: Final = teller(BOOKS)
ROUNDS: Final = rounds(16)
#: How far the two are moved against each other after each round, so that neither wins for good: the
#: less, the closer they have come.
LEAST_STEP_SECONDS: Final = 0.0003
MOST_STEP_SECONDS: Final = 0.02
FURTHEST_SECONDS: Final = 0.2
HEAD_START_SECONDS: Final = 0.002
#: The door of each round, in turn. Pages are rendered whole, so they come less often.
DOORS: Final = ("token", "session", "token", "session", "page")
Told = dict[str, Any]


class Side:
    """One of the two processes."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.invariants.racer"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")

    def hear(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "a racer died"
        return line.strip()

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        self.process.wait(timeout=20)


class Track:
    """Two processes over this test's database."""

    def __init__(self, process: TestProcess) -> None:
        environment = product_environment(
            **process.settings(), DJANGO_SETTINGS_MODULE="countersign.settings"
        )
        self.sides = (Side(environment), Side(environment))
        self._evenly()
        for side in self.sides:
            assert side.hear() == "here"

    def start_over(self) -> None:
        """Everything that the processes know is of another database."""
        self._evenly()
        for side in self.sides:
            side.say(json.dumps({"do": "start_over"}))
            assert side.hear() == "over"

    def race(self, first: Told, second: Told) -> tuple[Told, Told]:
        """Both at once, the first ahead by the lead (or behind, where that is negative)."""
        for side, order in zip(self.sides, (first, second), strict=True):
            side.say(json.dumps(order))
        for side in self.sides:
            assert side.hear() == "ready"
        at = time.monotonic() + HEAD_START_SECONDS
        leads = (max(0.0, -self.lead), max(0.0, self.lead))
        for side, wait in zip(self.sides, leads, strict=True):
            side.say(repr(at + wait))
        results = tuple(json.loads(side.hear()) for side in self.sides)
        return results[0], results[1]

    def first_won(self, won: bool) -> None:
        """Move the start of the next round to the other side: always at the edge."""
        further = self.step * 1.5 if won is self.won_last else self.step / 2
        self.step = min(MOST_STEP_SECONDS, max(LEAST_STEP_SECONDS, further))
        lead = self.lead + (-self.step if won else self.step)
        # Where one side cannot win there is no edge to look for.
        self.lead = min(FURTHEST_SECONDS, max(-FURTHEST_SECONDS, lead))
        self.won_last = won

    def _evenly(self) -> None:
        self.lead, self.step = 0.0, MOST_STEP_SECONDS / 4
        self.won_last: bool | None = None

    def close(self) -> None:
        for side in self.sides:
            side.close()


def parked(
    model: ModelServer, operator: User, number: int = ROUNDS, *, together: int = 40
) -> Iterator[ApprovalRequest]:
    """So many requests, each of a payment that waits for a person: up to `together` of one run."""
    caller = Caller.of_session(operator)
    while number > 0:
        some = min(number, together)
        # No two alike: an agent that proposes the same again and again is stopped.
        pays = [{**PAY, "amount": f"42.{place:02}"} for place in range(some)]
        model.follow([calls(*[call("pay", pay) for pay in pays])])
        run, _ = start_run(agent="teller", input="Pay.", caller=caller)
        advance(run.pk, owner="test", stopping=lambda: False)
        waiting = ApprovalRequest.objects.filter(run_id=run.pk).order_by("step_seq")
        assert len(waiting) == some
        yield from waiting
        number -= some


def decision(
    request: ApprovalRequest, person: User, door: int, verdict: str = "approve", **body: Any
) -> Told:
    """The order to decide on the request as the object at hand shows it, by the door of that number."""
    return {
        "do": "decide",
        "kind": DOORS[door % len(DOORS)],
        "person": person.pk,
        "request": str(request.pk),
        "seen": Seen.of(request).fields(),
        "verdict": verdict,
        "body": body,
    }


def deed(request: ApprovalRequest, person: User, door: int, act: str, **body: Any) -> Told:
    """The order to claim, extend or take back."""
    return {
        "do": "act",
        "kind": DOORS[door % len(DOORS)],
        "person": person.pk,
        "request": str(request.pk),
        "act": act,
        "body": body,
    }


def told(answer: Told, *words: str) -> None:
    """Fail unless the answer is a refusal in which these words can be read."""
    assert not answer["moved"], answer
    for word in words:
        assert word in answer["text"], (word, answer["text"][:1_000])


def story(request: ApprovalRequest) -> list[dict[str, Any]]:
    """All events of the request in order, as bodies."""
    rows = Event.objects.by_request(request.pk).oldest_first()
    return [orjson.loads(bytes(body)) for body in rows.values_list("body", flat=True)]


def agrees(request: ApprovalRequest) -> list[str]:
    """Fail unless request, votes, claim, deadline, step and run stand where the events lead. Gives the
    types of the events."""
    request.refresh_from_db()
    events = story(request)
    types = [event["type"] for event in events]
    state, revision, votes, holder, deadline = "", 0, set(), None, None
    for event in events:
        facts, kind = event.get("facts", {}), event["type"]
        state = REQUEST_STATES.get(kind, state)
        if kind == "request.decided":
            state = facts["state"]
        if kind.startswith("request.") and "revision" in facts:
            revision = facts["revision"]
        if "vote" in facts:
            votes.add(facts["vote"])
        if kind in ("request.opened", "request.extended"):
            deadline = facts.get("review_deadline")
        if kind == "request.claimed":
            holder = int(event["actor"]["id"])
        elif kind == "request.released" or state != "pending":
            holder = None
    assert (state, revision) == (request.state, request.revision), types
    stored = Vote.objects.filter(request=request)
    assert votes == {str(pk) for pk in stored.values_list("pk", flat=True)}, types
    assert request.claimed_by_id == holder, types
    # A final answer waits for as long as it takes.
    due = moment_text(request.review_deadline) if request.review_deadline is not None else None
    assert (due is None) is (request.kind == "result")
    assert deadline == due or request.extended_hours == 0
    counted = stored.filter(counts=True)
    assert all(vote.revision == request.revision for vote in counted)
    assert len({vote.user_id for vote in counted}) == len(counted)
    _run_agrees(request)
    return types


def _run_agrees(request: ApprovalRequest) -> None:
    """The request's step knows what became of it, and its run waits or is ready for that."""
    step = Step.objects.get(approval_id=request.pk)
    run = Run.objects.get(pk=request.run_id)
    word = step.resolution or {}
    match request.state:
        case "pending":
            assert (word.get("kind"), step.state) == (None, "waiting")
        case "approved":
            assert (word["kind"], step.state) == ("approved", "waiting")
            assert (word["digest"], word["revision"]) == (request.digest, request.revision)
            assert step.arguments == request.arguments
        case "rejected":
            assert word["kind"] in ("rejected", "stopped")
        case "expired":
            assert word["kind"] == "expired"
        case "cancelled" | "lapsed":
            assert (step.state, run.state) == ("refused", "cancelled")
        case "consumed":
            assert step.state == "succeeded"
    if run.state in ("waiting", "ready"):
        steps = Step.objects.filter(run=run, state="waiting")
        # Nobody would ever wake a run that waits although something came of what it asked.
        assert run.state == "ready" or not steps.filter(resolution__isnull=False).exists()

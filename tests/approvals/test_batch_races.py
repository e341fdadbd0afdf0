"""Two people decide overlapping batches in two real processes: each request once, the loser told of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.models import User
from approvals.models import ApprovalRequest, Vote
from approvals.services.policies import current
from approvals.vocabulary import Risk
from audit.models import Event
from countersign.programs import PROJECT
from tests.approvals.conftest import Opener
from tests.approvals.till import refund, verdict_on
from tests.harness.environment import TestProcess
from tests.harness.rounds import rounds

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = rounds(13)
SHARED = 8


class Desk:
    """One person's process."""

    def __init__(self, process: TestProcess) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.approvals.batching"],
            cwd=PROJECT,
            env={**os.environ, **process.settings()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process ended"
        return json.loads(line)

    def close(self) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()
            assert self._process.wait(timeout=60) == 0


@pytest.fixture
def desks(test_process: TestProcess) -> Iterator[Callable[[], Desk]]:
    open_ones: list[Desk] = []

    def make() -> Desk:
        open_ones.append(Desk(test_process))
        return open_ones[-1]

    yield make
    for each in open_ones:
        each.close()


def batch(
    person: User, requests: list[ApprovalRequest], verdict: str, **body: str
) -> dict[str, Any]:
    return {
        "person": person.pk,
        "items": [
            {
                "id": str(each.pk),
                "decision": verdict_on(each, verdict, **body).model_dump(
                    mode="json", exclude_none=True
                ),
            }
            for each in requests
        ],
    }


def bodies(request: ApprovalRequest, type_: str) -> list[dict[str, Any]]:
    rows = Event.objects.filter(request=request.pk, type=type_)
    return [json.loads(bytes(row.body)) for row in rows]


def test_two_people_with_overlapping_batches_decide_each_request_once(
    opened: Opener, reviewer: User, second_reviewer: User, desks: Callable[[], Desk]
) -> None:
    current()
    one, other = desks(), desks()
    won = {reviewer.pk: 0, second_reviewer.pk: 0}
    for _ in range(ROUNDS):
        requests = [
            opened(amount=f"{n}.00", action=refund(f"{n}.00", risk=Risk.MEDIUM))
            for n in range(1, SHARED + 3)
        ]
        shared, own, theirs = requests[:SHARED], requests[SHARED], requests[SHARED + 1]
        # In opposite orders, so that they meet in the middle.
        one.say(batch(reviewer, [*shared, own], "approve"))
        other.say(batch(second_reviewer, [*reversed(shared), theirs], "reject", reason="No."))
        assert [one.hear(), other.hear()] == ["ready", "ready"]
        one.say("go")
        other.say("go")
        approved = {each["id"]: each for each in one.hear()}
        rejected = {each["id"]: each for each in other.hear()}
        assert approved[str(own.pk)]["state"] == "approved"
        assert rejected[str(theirs.pk)]["state"] == "rejected"
        for request in shared:
            request.refresh_from_db()
            by_one, by_other = approved[str(request.pk)], rejected[str(request.pk)]
            first_won = request.state == "approved"
            winner, loser = (
                (reviewer, second_reviewer) if first_won else (second_reviewer, reviewer)
            )
            won[winner.pk] += 1
            counted, told = (by_one, by_other) if first_won else (by_other, by_one)
            assert counted["state"] == request.state
            assert told["code"] == "already_decided"
            assert (told["params"]["who"], told["params"]["what"]) == (
                winner.get_full_name(),
                request.state,
            )
            assert told["params"]["when"] == request.decided_at.isoformat()
            (vote,) = Vote.objects.filter(request=request)
            assert vote.user == winner
            (decided,) = bodies(request, "request.decided")
            assert decided["actor"]["id"] == str(winner.pk)
            assert decided["facts"]["state"] == request.state
            (refused,) = bodies(request, "decision.refused")
            assert refused["actor"]["id"] == str(loser.pk)
    assert sum(won.values()) == ROUNDS * SHARED
    # They did meet: each was faster with some.
    assert all(won.values())

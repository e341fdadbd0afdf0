"""The approval cycle, one after the other: start → parked, decision committed → action executed."""

import os
from collections.abc import Callable
from time import monotonic, monotonic_ns, sleep
from typing import TypeVar
from uuid import uuid4

from django.db import transaction
from redis import Redis

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from approvals.schemas import DecisionIn
from approvals.services.decide import decide
from approvals.vocabulary import Verdict
from benchmarks.agents import EXECUTED

Found = TypeVar("Found")
PATIENCE_SECONDS = 30


def until(look: Callable[[], Found | None]) -> Found:
    """What `look` finds, looking every millisecond; an error when it does not come."""
    ends = monotonic() + PATIENCE_SECONDS
    while monotonic() < ends:
        found = look()
        if found:
            return found
        sleep(0.001)
    raise TimeoutError(f"waited {PATIENCE_SECONDS} s in vain")


def measure(cycles: int, starter: User, decider: User) -> dict[str, list[float]]:
    """Milliseconds of each cycle: `parked` from the start, `executed` from the decision's commit."""
    client = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=60)
    client.delete(EXECUTED)
    parked: list[float] = []
    executed: list[float] = []
    for cycle in range(cycles):
        began = monotonic_ns()
        run, _ = start_run(agent="marker", input=str(cycle), caller=Caller.of_session(starter))
        request = until(lambda: ApprovalRequest.objects.filter(run_id=run.pk).first())  # noqa: B023
        parked.append((monotonic_ns() - began) / 1e6)
        committed = _approve(request, decider)
        popped = client.blpop([EXECUTED], timeout=PATIENCE_SECONDS)
        assert popped, "the action was not executed"
        executed.append((int(popped[1].split(b":")[1]) - committed) / 1e6)
        until(lambda: Run.objects.filter(pk=run.pk, state="succeeded").exists())  # noqa: B023
    return {"parked": parked, "executed": executed}


def _approve(request: ApprovalRequest, decider: User) -> int:
    """Decide as the page does; returns the moment right after the commit."""
    stamps: list[int] = []
    decision = DecisionIn(
        verdict=Verdict.APPROVE,
        revision=request.revision,
        digest=request.digest,
        shown_sha256=request.shown_sha256,
        nonce=uuid4().hex,
    )
    with transaction.atomic():
        # First on the list, so that the clock starts before the wake-up goes out.
        transaction.on_commit(lambda: stamps.append(monotonic_ns()))
        decide(request_id=request.pk, decision=decision, caller=Caller.of_session(decider))
    return stamps[0]

"""Many cycles at once: all started, all parked, all approved, all finished, each executed once."""

import os
from collections.abc import Mapping
from time import monotonic
from typing import Any

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from benchmarks.deciding import approve
from benchmarks.figures import burst_summary
from benchmarks.processes import cpu_between, usage
from benchmarks.recorder import Recorder, twice
from benchmarks.waiting import until

LOOK_SECONDS = 0.25
PATIENCE_SECONDS = 900.0


def measure(count: int, starter: User, decider: User, pids: Mapping[str, int]) -> dict[str, Any]:
    """Rates over `count` cycles, and the processor time that each process took for all of them.

    The client starts and decides through the product's services, as its API and its pages do.
    """
    recorder = Recorder(os.environ["REDIS_URL"])
    recorder.forget()
    used = usage(pids)
    began = monotonic()
    ids = start(count, starter)
    wait_for_state(ids, "waiting")
    parked = monotonic()
    reviewer = Caller.of_session(decider)
    for request in ApprovalRequest.objects.filter(run_id__in=ids).order_by("created_at"):
        approve(request, reviewer)
    wait_for_state(ids, "succeeded")
    finished = monotonic()
    marked = [execution.number for execution in recorder.all()]
    return {
        **burst_summary(count, parked - began, finished - parked),
        "executed": len(marked),
        "executed_twice": twice(marked),
        "cpu_seconds": cpu_between(used, usage(pids)),
    }


def start(count: int, starter: User) -> list[Any]:
    """Start that many runs, one call after the other; their ids."""
    caller = Caller.of_session(starter)
    return [
        start_run(agent="marker", input=str(number), caller=caller)[0].pk for number in range(count)
    ]


def wait_for_state(ids: list[Any], state: str) -> None:
    """Wait until all of the runs are in the state. Raises TimeoutError."""
    runs = Run.objects.filter(pk__in=ids, state=state)
    until(
        lambda: runs.count() == len(ids),
        every_seconds=LOOK_SECONDS,
        patience_seconds=PATIENCE_SECONDS,
    )

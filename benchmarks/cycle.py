"""The approval cycle, one after the other: start → parked, decision → action executed."""

import os
from time import monotonic_ns

from accounts.callers import Caller
from accounts.models import User
from agents.models import Run
from agents.services.start_run import start_run
from approvals.models import ApprovalRequest
from benchmarks.deciding import approve
from benchmarks.recorder import Recorder
from benchmarks.waiting import until


def measure(cycles: int, starter: User, decider: User) -> dict[str, list[float]]:
    """Milliseconds of each cycle.

    `parked`: from the call that starts the run until its request is there. `executed` and
    `called_to_executed`: until the action begins, from the decision's commit and from its call.
    `called_to_finished`: until the run has succeeded.
    """
    recorder = Recorder(os.environ["REDIS_URL"])
    recorder.forget()
    taken: dict[str, list[float]] = {
        name: [] for name in ("parked", "executed", "called_to_executed", "called_to_finished")
    }
    for cycle in range(cycles):
        began = monotonic_ns()
        run, _ = start_run(agent="marker", input=str(cycle), caller=Caller.of_session(starter))
        request = until(lambda: ApprovalRequest.objects.filter(run_id=run.pk).first())  # noqa: B023
        taken["parked"].append((monotonic_ns() - began) / 1e6)
        decided = approve(request, Caller.of_session(decider))
        executed = recorder.wait().moment
        taken["executed"].append((executed - decided.committed) / 1e6)
        taken["called_to_executed"].append((executed - decided.called) / 1e6)
        until(lambda: Run.objects.filter(pk=run.pk, state="succeeded").exists())  # noqa: B023
        taken["called_to_finished"].append((monotonic_ns() - decided.called) / 1e6)
    return taken

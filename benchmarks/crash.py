"""A worker is killed right after an opaque action: how often did it happen, and who is asked?"""

import os
from typing import Any

from accounts.callers import Caller
from accounts.models import User
from approvals.models import ApprovalRequest
from approvals.vocabulary import Kind
from benchmarks.burst import start
from benchmarks.deciding import approve
from benchmarks.recorder import Recorder
from benchmarks.waiting import until

# A lease as shipped is 30 seconds; its run is found after that.
PATIENCE_SECONDS = 90.0


def measure(starter: User, decider: User) -> dict[str, Any]:
    """How often the action happened, and that the run now asks a person whether it did."""
    recorder = Recorder(os.environ["REDIS_URL"])
    recorder.forget()
    run = start(1, starter)[0]
    requests = ApprovalRequest.objects.filter(run_id=run)
    request = until(requests.first)
    recorder.arm()
    approve(request, Caller.of_session(decider))
    asked = until(
        requests.filter(kind=Kind.IN_DOUBT).first,
        every_seconds=0.1,
        patience_seconds=PATIENCE_SECONDS,
    )
    return {
        "executions": len(recorder.all()),
        "decision_lost": False,
        "asks_a_person": asked.kind == Kind.IN_DOUBT,
    }

"""Cancel: close what a run still asks for, because the run ends."""

from __future__ import annotations

from uuid import UUID

from approvals import events
from approvals.closing import settle
from approvals.models import ApprovalRequest
from approvals.records import record_request
from approvals.signals import Resolution
from approvals.states import RequestState
from audit.actors import Actor
from audit.clock import database_now
from audit.schemas import Outcome


def cancel_requests(*, run_id: UUID, actor: Actor, why: str) -> int:
    """Close the run's open requests inside the caller's transaction, which holds the run's lock.

    Pending ones become cancelled; approvals that were not used lapse. `why` is a code such as
    `run_cancelled`. Returns how many there were. The run is not told: it is the one that ends.
    """
    requests = list(
        ApprovalRequest.objects.select_for_update(of=("self",), no_key=True)
        .filter(run_id=run_id, state__in=[RequestState.PENDING, RequestState.APPROVED])
        .order_by("id")
    )
    if not requests:
        return 0
    now = database_now()
    for request in requests:
        approved = request.state == RequestState.APPROVED
        target = RequestState.LAPSED if approved else RequestState.CANCELLED
        settle(
            request,
            target,
            Resolution(target.value, target, None, {"why": why}),
            who="the end of its run",
            decided_at=request.decided_at or now,
        )
        record_request(
            request,
            "approval.lapsed" if approved else "request.cancelled",
            actor,
            outcome=Outcome(decision="cancel", reason_code=why),
            facts={"why": why},
        )
        events.announce(request, target.value)
    return len(requests)

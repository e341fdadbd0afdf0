"""Withdraw: close requests of a run that goes on, because what they ask about is not what would run."""

from __future__ import annotations

from collections.abc import Collection
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


def withdraw_requests(
    *,
    request_ids: Collection[UUID],
    actor: Actor,
    why: str,
    who: str,
    approvals_become: RequestState = RequestState.LAPSED,
) -> int:
    """Close those of the requests that are open, inside the caller's transaction, which holds the
    run's lock. Pending ones are superseded; approvals that were not used lapse, or are superseded too.

    `why` is a code, `who` names for people what closed them. Returns how many there were. The run
    is not told: its worker is the caller.
    """
    requests = list(
        ApprovalRequest.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=request_ids, state__in=[RequestState.PENDING, RequestState.APPROVED])
        .order_by("id")
    )
    now = database_now()
    for request in requests:
        approved = request.state == RequestState.APPROVED
        target = approvals_become if approved else RequestState.SUPERSEDED
        settle(
            request,
            target,
            Resolution(target.value, target, None, {"why": why}),
            who=who,
            decided_at=request.decided_at or now,
        )
        record_request(
            request,
            "approval.lapsed" if target is RequestState.LAPSED else "request.superseded",
            actor,
            outcome=Outcome(decision="withdraw", reason_code=why),
            facts={"why": why},
        )
        events.announce(request, target.value)
    return len(requests)

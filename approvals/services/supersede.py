"""Supersede: set aside what a run asks for, because it is for something else now."""

from __future__ import annotations

from uuid import UUID

from approvals.models import ApprovalRequest
from approvals.services.withdraw import withdraw_requests
from approvals.states import RequestState
from approvals.vocabulary import Kind
from audit.actors import Actor

#: Kinds that belong to a task. What is in doubt happened or did not, whatever the run is for now; a
#: limit, a look and a hand-back are about the run itself.
OF_THE_TASK = (Kind.ACTION, Kind.QUESTION, Kind.RESULT)


def supersede_requests(*, run_id: UUID, actor: Actor, why: str) -> int:
    """Close the run's open requests inside the caller's transaction, which holds the run's lock.

    Pending ones and approvals that were not used alike. `why` is a code such as `goal_changed`.
    Returns how many there were. The run is not told: its caller is the one that changes it.
    """
    asked = ApprovalRequest.objects.filter(run_id=run_id, kind__in=OF_THE_TASK)
    return withdraw_requests(
        request_ids=list(asked.values_list("pk", flat=True)),
        actor=actor,
        why=why,
        who="a change of the task",
        approvals_become=RequestState.SUPERSEDED,
    )

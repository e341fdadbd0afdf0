"""Let runs that stand at a limit look again, once the limits were changed or a new day or month has begun."""

from __future__ import annotations

from datetime import UTC, datetime, time
from uuid import UUID

from django.db.models import F, Q

from agents.agent_budgets import begins_on
from agents.events import announce
from agents.models import Run, Step
from agents.services.rouse import PARKED, rouse
from agents.states import StepKind, StepState
from approvals.services.withdraw import withdraw_requests
from audit.actors import Actor

FREED = "freed"


def at_changed_limits(now: datetime, *, most: int) -> list[UUID]:
    """Runs whose request about a limit is older than what it is about."""
    older = Q(run__agent__limits_set_at__gt=F("started_at"))
    for span in ("day", "month"):
        began = datetime.combine(begins_on(span, now), time(), UTC)
        older |= Q(name__startswith=f"{span}_", started_at__lt=began)
    waiting = Step.objects.filter(
        older, kind=StepKind.BUDGET, state=StepState.WAITING, resolution__isnull=True
    )
    parked = waiting.filter(run__state__in=PARKED).order_by("started_at")
    return list(parked.values_list("run", flat=True)[:most])


def free_budget(run_id: UUID) -> bool:
    """Withdraw the request and wake the run; where its limit still holds, its worker asks anew.

    A run whose row somebody holds right now is swept up next time.
    """
    run = (
        Run.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("agent", "agent_version")
        .filter(pk=run_id, state__in=PARKED)
        .first()
    )
    if run is None:
        return False
    step = Step.objects.filter(
        run=run, kind=StepKind.BUDGET, state=StepState.WAITING, resolution__isnull=True
    ).first()
    if step is None or step.approval_id is None:
        return False
    actor = Actor.system("limits")
    withdraw_requests(
        request_ids=[step.approval_id], actor=actor, why="limits_changed", who="changed limits"
    )
    Step.objects.filter(pk=step.pk).update(resolution={"kind": FREED})
    rouse(run, actor)
    announce(run, "woken")
    return True

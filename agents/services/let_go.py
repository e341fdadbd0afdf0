"""Let what a kill switch held go on: wake what is ready, and runs that parked because a tool was off."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Q
from django.db.models.functions import Now

from agents.events import announce
from agents.kill_switches import KillSwitch, holds_call
from agents.models import Run, Step
from agents.queues import RESUMES, RUNS, wake
from agents.services.rouse import PARKED, rouse
from agents.states import STOPPABLE, RunState
from audit.actors import Actor
from audit.clock import database_now

AT_ONCE = 200
"""So many are woken by whoever lifts a switch; the scheduler sees to the rest, a second later."""

_STANDS = Q(state__in=PARKED) | Q(state=RunState.READY, ready_at__gt=Now())


def let_go_of(switch: KillSwitch) -> None:
    """Wake what the lifted switch held. What another switch still holds is passed over."""
    if switch.tool:
        for run_id in freed(most=AT_ONCE):
            with transaction.atomic():
                let_go(run_id)
        return
    now = database_now()
    runs = Run.objects.claimable(now)
    if switch.agent_id is not None:
        runs = runs.filter(agent=switch.agent_id)
    ready = list(runs.order_by("ready_at", "id").values_list("pk", "wake_seq", "state")[:AT_ONCE])
    Run.objects.filter(pk__in=[run_id for run_id, _, _ in ready]).update(nudged_at=now)
    for run_id, wake_seq, state in ready:
        wake(run_id, wake_seq, RUNS if state == RunState.QUEUED else RESUMES, again=True)


def freed(most: int) -> list[UUID]:
    """Parked runs with a call that was held by a switch of its tool, and is held by none any more."""
    calls = Step.objects.filter(
        ~holds_call(OuterRef("run__agent_id"), OuterRef("name")),
        run__in=Run.objects.filter(_STANDS).values("pk"),
        stopped=True,
        state__in=STOPPABLE,
    )
    return list(calls.order_by().values_list("run", flat=True).distinct()[:most])


def let_go(run_id: UUID) -> bool:
    """Make the parked run ready; its worker looks at its calls itself.

    A run whose row somebody holds right now looks for itself when it parks, or is swept up.
    """
    run = (
        Run.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("agent", "agent_version")
        .filter(_STANDS, pk=run_id)
        .first()
    )
    if run is None:
        return False
    Step.objects.filter(run=run, stopped=True).update(stopped=False)
    rouse(run, Actor.system("kill-switch"))
    announce(run, "woken")
    return True

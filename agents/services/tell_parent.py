"""Tell a run that a run which it delegated to has ended, in the transaction of that end."""

from __future__ import annotations

from uuid import UUID

from agents.journal import ENDED
from agents.models import Run, Step
from agents.services.wake_run import wake_run
from agents.states import OPEN, SETTLED, StepKind, StepState
from audit.actors import Actor
from audit.fault_points import reached


def tell_parent(child: Run) -> None:
    """Note at the call that started the run that it has ended, and wake whoever waits for it.

    The caller holds the row of the run and, locked before it, that of its parent. Calls of one reply are
    settled in its order, so nobody is woken while an earlier one is still under way.
    """
    parent_id, call_id = child.parent_id, child.delegated_by_id
    if parent_id is None or call_id is None:
        return
    parent = (
        Run.objects.select_related("agent__owner_group", "agent_version")
        .filter(pk=parent_id, state__in=OPEN, cancel_requested_at__isnull=True)
        .first()
    )
    if parent is None:
        return
    call = Step.objects.filter(pk=call_id, state=StepState.WAITING)
    if not call.update(resolution={"kind": ENDED, "ready_at": None, "child": str(child.pk)}):
        return
    if not _is_behind(parent_id, call_id):
        wake_run(parent, Actor.system("child-run"))
    reached("child.told")


def _is_behind(parent_id: UUID, call_id: UUID) -> bool:
    """Whether an earlier call to another agent is still without its result, which wakes the run for both."""
    earlier = Step.objects.filter(
        run=parent_id,
        kind=StepKind.DELEGATE,
        seq__lt=Step.objects.filter(pk=call_id).values("seq"),
        resolution__isnull=True,
    )
    return earlier.exclude(state__in=SETTLED).exists()

"""Hear, inside the deciding transaction, that a request resolved: note it at its step and wake the run."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from agents.events import announce
from agents.models import EffectRecord, Run, Step
from agents.queues import RESUMES, wake_later_on_commit, wake_on_commit
from agents.resolved import earliest_ready_at, resolved_steps
from agents.services.end import cancel
from agents.services.wake_run import wake_run
from agents.states import OPEN, SETTLED, RunState, StepKind, StepState
from audit.actors import Actor
from audit.clock import database_now
from audit.prepared import Prepared
from audit.writes import update

APPROVED = "approved"
UNDONE = "undone"
STOPPED = "stopped"

_run_of = Prepared(
    lambda request: (
        Run.objects.select_for_update(of=("self",), no_key=True)
        .select_related("agent", "agent_version")
        .defer("agent_version__definition")
        .filter(steps__approval_id=request, state__in=OPEN)
        .order_by()
    ),
    UUID(int=0),
)
_step_of = Prepared(
    lambda request: Step.objects.filter(approval_id=request).exclude(state__in=SETTLED).order_by(),
    UUID(int=0),
)


def hear_resolution(
    *,
    request: UUID,
    kind: str,
    ready_at: datetime | None,
    revision: int,
    digest: str,
    arguments: dict[str, Any],
    decided_by: str,
    data: dict[str, Any],
    actor: Actor,
) -> None:
    """Note the resolution at the step that waits for the request, and let the run go on.

    A request that belongs to no step here (an agent that runs elsewhere) is none of our business.
    """
    # The decision path has locked this row already; the lock is taken again for callers that have not.
    run = _run_of.one(request)
    if run is None:
        return
    step = _step_of.one(request)
    if step is None:
        return
    if kind == UNDONE:
        _take_back(run, step)
        return
    changes: dict[str, Any] = {
        "resolution": {
            "kind": kind,
            "ready_at": ready_at.isoformat() if ready_at else None,
            "revision": revision,
            "digest": digest,
            "by": decided_by,
            "by_id": actor.id if actor.kind == "person" else None,
            "edited": bool(data.get("edited")),
            "data": data,
        }
    }
    if step.judgement is not None and kind == APPROVED:
        changes["arguments"] = arguments
    update(Step, {"pk": step.pk}, changes)
    if step.kind == StepKind.HAND_BACK:
        Run.objects.filter(pk=run.pk).update(taken_over_at=None, taken_over_by=None)
    if kind == STOPPED:
        cancel(run, actor, str(data.get("reason") or "Stopped by a reviewer."))
        return
    wake_run(run, Actor.system("decision"))


def _take_back(run: Run, step: Step) -> None:
    """An approval was taken back before dispatch: the step waits again, and so may the run."""
    Step.objects.filter(pk=step.pk).update(resolution=None)
    Run.objects.change(run.pk, wake_seq=F("wake_seq") + 1)
    if run.state == RunState.READY:
        now, resolved = database_now(), resolved_steps(run.pk)
        if _has_more_to_do(run):
            Run.objects.change(run.pk, ready_at=now)
            wake_on_commit(run.pk, run.wake_seq + 1, RESUMES)
        elif resolved:
            ready_at = earliest_ready_at(resolved, now)
            Run.objects.change(run.pk, ready_at=ready_at)
            wake_later_on_commit(run.pk, run.wake_seq + 1, ready_at)
        else:
            Run.objects.move(run.pk, RunState.WAITING, ready_at=None, parked_at=now)
    announce(run, "woken")


def _has_more_to_do(run: Run) -> bool:
    """Whether a ready run may have been ready for something else than an approval."""
    begun = (StepState.PROPOSED, StepState.STARTED, StepState.DISPATCHED)
    return (
        run.unheard
        or Step.objects.filter(run=run, state__in=begun).exists()
        or EffectRecord.objects.filter(
            Q(run=run) | Q(pk=run.undoes_id), undo_asked__isnull=False
        ).exists()
    )

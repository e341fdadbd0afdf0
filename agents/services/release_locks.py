"""Let go of the resources of settled calls, and let whoever is next in line go on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q

from agents import spans
from agents.events import announce, tell
from agents.models import Run, Step
from agents.queues import RESUMES, wake_on_commit
from agents.resources import lock_lines, runs_in_turn
from agents.states import RunState
from audit.actors import Actor
from audit.clock import database_now

_RELEASE = """
DELETE FROM agents_resourceclaim
 WHERE run_id = %(run)s AND (%(step)s::uuid IS NULL OR step_id = %(step)s::uuid)
RETURNING resource
"""


def release_locks(run: Run, step: Step | None = None) -> None:
    """Give up what the step holds or stands in line for, or all steps of the run, with what settles it.

    The caller holds the run's row. The next in line are woken on commit.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, {"run": run.pk, "step": step.pk if step else None})
        names = [name for (name,) in cursor.fetchall()]
    wake_next_on_commit(names, besides=run.pk)


def wake_next_on_commit(names: Sequence[str], *, besides: UUID) -> None:
    """Once these resources are free, let the next ones go on; the run itself (`besides`) is at work.

    The lines are locked, so that whoever joins one of them meanwhile is seen from here, or sees that
    the resource is free.
    """
    if not names:
        return
    lock_lines(names)
    transaction.on_commit(partial(_wake_next, list(names), besides), robust=True)


def check_turn_on_commit(run_id: UUID) -> None:
    """Once the run is parked in line, look whether its turn came while it parked."""
    transaction.on_commit(partial(_check_turn, run_id), robust=True)


def _wake_next(names: list[str], besides: UUID) -> None:
    for run_id in runs_in_turn(names=names):
        if run_id != besides:
            with transaction.atomic():
                give_turn(run_id)


def _check_turn(run_id: UUID) -> None:
    if runs_in_turn(run=run_id):
        with transaction.atomic():
            give_turn(run_id)


def give_turn(run_id: UUID) -> bool:
    """Make a parked run ready whose call's turn has come; it takes its resources itself.

    A run whose row somebody holds right now looks for itself when it parks, or is swept up.
    """
    now = database_now()
    run = (
        Run.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("agent", "agent_version")
        .filter(
            Q(state__in=[RunState.WAITING, RunState.SLEEPING])
            | Q(state=RunState.READY, ready_at__gt=now),
            pk=run_id,
        )
        .first()
    )
    if run is None:
        return False
    changes = {"ready_at": now, "wake_at": None, "wake_seq": F("wake_seq") + 1}
    if run.state == RunState.READY:
        Run.objects.filter(pk=run.pk).update(version=F("version") + 1, **changes)
    else:
        spans.waited(run, now, "resources")
        Run.objects.move(run.pk, RunState.READY, **changes)
        tell(run, "run.woken", actor=Actor.system("resources"), facts={"why": "resource"})
    wake_on_commit(run.pk, run.wake_seq + 1, RESUMES)
    announce(run, "woken")
    return True

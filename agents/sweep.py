"""What the scheduler does for runs, every second: nothing is lost because a hint was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q

from agents import spans
from agents.counted import LEASES_EXPIRED
from agents.events import announce, tell
from agents.models import BudgetNotice, EffectRecord, ReportedModel, Run
from agents.queues import RESUMES, RUNS, mail_bounce, mail_budget, mail_model, wake, wake_on_commit
from agents.resources import runs_in_turn
from agents.services.end import end_if_cancelled
from agents.services.free_budget import at_changed_limits, free_budget
from agents.services.let_go import freed, let_go
from agents.services.release_locks import give_turn
from agents.states import RunState
from audit import log_ids
from audit.actors import Actor
from audit.clock import database_now
from audit.fault_points import reached

log = structlog.get_logger(__name__)
BATCH = 200
NUDGE_AFTER_SWEEPS = 10
MAIL_OVERDUE = timedelta(minutes=2)


def sweep_once() -> dict[str, int]:
    """Free expired leases, wake sleepers, runs whose turn for a resource has come or whose kill switch was
    lifted, and ready runs nobody took. Counts by what was done."""
    now = database_now()
    return {
        "leases_expired": _each(_expired(now), _free),
        "sleepers_woken": _each(_sleepers(now), _rouse),
        "turns_given": _each(runs_in_turn(), give_turn),
        "let_go": _each(freed(most=BATCH), let_go),
        "limits_looked_at": _each(at_changed_limits(now, most=BATCH), free_budget),
        "woken": _wake_forgotten(now),
        "bounces_mailed": _mail_about(EffectRecord.objects, now, mail_bounce),
        "budgets_mailed": _mail_about(BudgetNotice.objects, now, mail_budget),
        "models_mailed": _mail_about(ReportedModel.objects, now, mail_model),
    }


def sweep_run(run_id: UUID) -> None:
    """The same for one run, where no scheduler need be there: free its expired lease, wake it when it is due."""
    _each([run_id], _free)
    _each([run_id], _rouse)


def _expired(now: datetime) -> list[UUID]:
    rows = Run.objects.filter(state=RunState.RUNNING, lease_expires_at__lt=now)
    return list(rows.order_by("lease_expires_at").values_list("pk", flat=True)[:BATCH])


def _sleepers(now: datetime) -> list[UUID]:
    rows = Run.objects.filter(state=RunState.SLEEPING, wake_at__lte=now)
    return list(rows.order_by("wake_at").values_list("pk", flat=True)[:BATCH])


def _each(ids: list[UUID], act: Callable[[UUID], bool]) -> int:
    """Act on each row in a transaction of its own: one poisonous row never stops the others."""
    done = 0
    for run_id in ids:
        try:
            with log_ids.beside(run=str(run_id)), transaction.atomic():
                done += act(run_id)
            reached("sweep.row_done", act.__name__)
        # Whatever is wrong with this row, the rows after it are somebody else's money.
        except Exception:
            log.exception("sweep_row_failed", run=str(run_id), act=act.__name__)
    return done


def _locked(run_id: UUID, condition: Q) -> Run | None:
    return (
        Run.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("agent", "agent_version")
        .filter(condition, pk=run_id)
        .first()
    )


def _free(run_id: UUID) -> bool:
    children = Run.objects.filter(pk=run_id, delegated_by__isnull=False)
    parent = children.values_list("parent", flat=True).first()
    # It may end here, of which its parent is told. A parent that somebody is at is no reason to wait.
    if parent is not None and _locked(parent, Q()) is None:
        return False
    run = _locked(run_id, Q(state=RunState.RUNNING, lease_expires_at__lt=database_now()))
    if run is None:
        return False
    spans.lost_stretch(run)
    LEASES_EXPIRED.add()
    if end_if_cancelled(run):
        return True
    Run.objects.move(
        run.pk,
        RunState.READY,
        lease_owner="",
        lease_expires_at=None,
        wake_seq=F("wake_seq") + 1,
    )
    tell(run, "run.woken", actor=Actor.system("sweeper"))
    wake_on_commit(run.pk, run.wake_seq + 1, RESUMES)
    announce(run, "woken")
    return True


def _rouse(run_id: UUID) -> bool:
    run = _locked(run_id, Q(state=RunState.SLEEPING, wake_at__lte=database_now()))
    if run is None:
        return False
    Run.objects.move(run.pk, RunState.READY, wake_at=None, wake_seq=F("wake_seq") + 1)
    wake_on_commit(run.pk, run.wake_seq + 1, RUNS)
    announce(run, "woken")
    return True


def _wake_forgotten(now: datetime) -> int:
    """Wake runs that are ready and that nobody claimed: the undo time ended, or a hint was lost.

    Each is nudged again only after a while, so that a long queue is not filled with doubles.
    """
    sweep = timedelta(seconds=settings.COUNTERSIGN.sweep_seconds)
    due = Q(ready_at__lte=now) | Q(ready_at__isnull=True, created_at__lte=now - sweep)
    quiet = Q(nudged_at__isnull=True) | Q(nudged_at__lte=now - NUDGE_AFTER_SWEEPS * sweep)
    rows = Run.objects.claimable(now).filter(due, quiet).order_by("ready_at", "id")
    found = list(rows.values_list("pk", "wake_seq", "state")[:BATCH])
    Run.objects.filter(pk__in=[run_id for run_id, _, _ in found]).update(nudged_at=now)
    reached("sweep.unsent")
    for run_id, wake_seq, state in found:
        wake(run_id, wake_seq, RUNS if state == RunState.QUEUED else RESUMES, again=True)
    return len(found)


def _mail_about(
    rows: models.Manager[EffectRecord]
    | models.Manager[BudgetNotice]
    | models.Manager[ReportedModel],
    now: datetime,
    mail: Callable[[UUID], None],
) -> int:
    """Have people told of what a mail was lost about with its hint, each again after a while."""
    due = rows.filter(mail_due_at__lte=now - MAIL_OVERDUE).order_by("mail_due_at")
    found = list(due.values_list("pk", flat=True)[:BATCH])
    rows.filter(pk__in=found).update(mail_due_at=now)
    for about in found:
        mail(about)
    return len(found)

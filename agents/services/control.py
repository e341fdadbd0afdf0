"""What operators do to a run: cancel, pause, resume."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from accounts.callers import Caller
from agents.errors import RunNotPaused
from agents.events import announce, tell
from agents.models import Run
from agents.queues import RESUMES, wake_on_commit
from agents.services.end import cancel
from agents.services.family import below, lock_with_parent
from agents.services.locking import listening, locked_for
from agents.states import CLAIMABLE
from agents.tool_secrets import without_secrets
from audit.clock import database_now
from audit.schemas import Disclose


def cancel_run(*, run_id: UUID, reason: str, caller: Caller) -> Run:
    """Cancel at once when parked, at the next safe point when at work. Raises RunEnded."""
    with transaction.atomic():
        lock_with_parent(run_id)
        run = locked_for(run_id, caller)
        cancel(run, caller.actor, without_secrets(reason) or "Cancelled by an operator.")
    return Run.objects.get(pk=run_id)


def pause_run(*, run_id: UUID, reason: str, caller: Caller) -> Run:
    """Let no worker claim the run, or one below it, until it is resumed; decisions still land. Raises
    RunEnded, RunCancelling."""
    with transaction.atomic():
        run = listening(run_id, caller)
        if run.paused_at is None:
            now = database_now()
            for each in (run, *below(run)):
                _pause(each, now, without_secrets(reason), caller)
    return Run.objects.get(pk=run_id)


def resume_run(*, run_id: UUID, caller: Caller) -> Run:
    """Let workers claim the run again, and those below it that were paused with it. Raises RunEnded,
    RunNotPaused."""
    with transaction.atomic():
        run = locked_for(run_id, caller)
        if run.paused_at is None:
            raise RunNotPaused
        for each in (run, *below(run)):
            # One that was paused by itself has a moment of its own.
            if each.paused_at == run.paused_at:
                _resume(each, caller)
    return Run.objects.get(pk=run_id)


def _pause(run: Run, now: datetime, reason: str, caller: Caller) -> None:
    if run.paused_at is not None or run.cancel_requested_at is not None:
        return
    Run.objects.filter(pk=run.pk).update(paused_at=now, version=F("version") + 1)
    disclosures = [Disclose("reason", reason, f"run:{run.pk}")] if reason else []
    tell(run, "run.paused", actor=caller.actor, disclosures=disclosures)
    announce(run, "paused")


def _resume(run: Run, caller: Caller) -> None:
    Run.objects.filter(pk=run.pk).update(
        paused_at=None, version=F("version") + 1, wake_seq=F("wake_seq") + 1
    )
    tell(run, "run.resumed", actor=caller.actor)
    if run.state in CLAIMABLE:
        wake_on_commit(run.pk, run.wake_seq + 1, RESUMES)
    announce(run, "resumed")

"""Take over: the run stands still until it is handed back."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from agents.errors import RunPaused, RunSwitchedOff, RunTakenOver
from agents.events import announce, run_stream, tell
from agents.kill_switches import KillSwitch
from agents.models import Run
from agents.services.locking import listening
from agents.services.rouse import rouse
from agents.services.say import fit_text, say
from agents.states import MessageKind
from audit.clock import database_now
from audit.schemas import Disclose


def take_over(*, run_id: UUID, reason: str, caller: Caller) -> Run:
    """Let nothing of the run go out from now on; its worker asks the caller to hand it back.

    Its requests stay decidable; what is approved waits. Raises UnknownRun, a Forbidden, RunEnded,
    RunCancelling, RunPaused, RunSwitchedOff, RunTakenOver, UnfitText, TooManyMessages.
    """
    words = fit_text(reason, may_be_empty=True)
    with transaction.atomic():
        run = listening(run_id, caller)
        if run.taken_over_by is not None and run.taken_over_at is not None:
            raise RunTakenOver(str(run.taken_over_by), run.taken_over_at.isoformat())
        if run.paused_at is not None:
            raise RunPaused
        if KillSwitch.objects.active().over_run(run).exists():
            raise RunSwitchedOff(run.agent.slug)
        say(run, MessageKind.TAKE_OVER, words, caller)
        Run.objects.filter(pk=run.pk).update(
            taken_over_by=caller.user, taken_over_at=database_now()
        )
        rouse(run, caller.actor)
        said = [Disclose("reason", words, run_stream(run.pk))] if words else []
        tell(run, "run.taken_over", actor=caller.actor, disclosures=said)
        announce(run, "taken_over")
    return Run.objects.get(pk=run_id)

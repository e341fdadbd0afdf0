"""Change what an open run is for: nothing that it proposed for the old task runs any more."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from agents.definitions import Category
from agents.events import announce, run_stream, tell
from agents.models import Run
from agents.services.end import cancel_children
from agents.services.locking import listening
from agents.services.rouse import rouse
from agents.services.say import fit_text, say
from agents.states import MessageKind
from agents.titles import title_of
from approvals.services.supersede import supersede_requests
from audit.schemas import Disclose

WHY = "goal_changed"


def change_goal(*, run_id: UUID, text: str, caller: Caller) -> Run:
    """Give the run another task. Its open requests are superseded, the runs it delegated to cancelled.

    What was sent already, or is in doubt, is settled first. Raises UnknownRun, a Forbidden, RunEnded,
    RunCancelling, UnfitText, TooManyMessages.
    """
    words = fit_text(text)
    with transaction.atomic():
        run = listening(run_id, caller)
        cancel_children(run, caller.actor, "The task that it was a part of has changed.")
        superseded = supersede_requests(run_id=run.pk, actor=caller.actor, why=WHY)
        say(run, MessageKind.GOAL, words, caller)
        # A workflow goes on with what it was started with, and is called by it.
        title = run.title if run.agent.category == Category.WORKFLOW else title_of(words)
        Run.objects.filter(pk=run.pk).update(goal=words, title=title)
        rouse(run, caller.actor)
        tell(
            run,
            "run.goal_changed",
            actor=caller.actor,
            facts={"requests": superseded},
            disclosures=[Disclose("goal", words, run_stream(run.pk))],
        )
        announce(run, WHY)
    return Run.objects.get(pk=run_id)

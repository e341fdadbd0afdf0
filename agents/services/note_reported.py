"""Notice when a server answers under another name for the same model, and tell those who own the agent."""

from __future__ import annotations

from collections.abc import Sequence

from agents.models import ReportedModel, Run
from agents.queues import mail_model_on_commit
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef


def note_reported(run: Run, *, asked: str, reported: str, names: Sequence[str]) -> None:
    """Keep a name that was not seen before for this agent and model; one that is not the first is told once.

    The caller holds the run's row. `names` are those that are known. No statement where this is one of them,
    which is nearly always.
    """
    if not reported or reported in names:
        return
    now = database_now()
    made, new = ReportedModel.objects.get_or_create(
        agent_id=run.agent_id,
        asked=asked,
        reported=reported,
        defaults={
            "first_seen_at": now,
            "is_change": bool(names),
            "mail_due_at": now if names else None,
        },
    )
    if not new or not made.is_change:
        return
    record(
        type="agent.model_changed",
        actor=Actor.system("engine"),
        stream=f"agent:{run.agent.slug}",
        agent=AgentRef(slug=run.agent.slug),
        run=run.pk,
        facts={"changes": len(names)},
    )
    mail_model_on_commit(made.pk)

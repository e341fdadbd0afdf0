"""Note that a person wants an effect undone; the run that is to do it takes it from there."""

from __future__ import annotations

from accounts.models import User
from agents import registry
from agents.models import EffectRecord, Run, Step
from agents.storable import storable


def has_undo(run: Run, step: Step) -> bool:
    """Whether the installed tool of the step can take back what it did."""
    agent = registry.find(run.agent.slug)
    tool = agent.tool(step.name) if agent else None
    return tool is not None and tool.compensation is not None


def wish_undo(effect: EffectRecord, *, by: int, reason: str) -> bool:
    """Note it, once; False when it is noted already. The caller holds the row of the effect's run."""
    wish = {"by": by, "name": str(User.objects.get(pk=by)), "reason": storable(reason)}
    open_wish = EffectRecord.objects.filter(pk=effect.pk, undo_asked__isnull=True)
    effect.undo_asked = wish
    return open_wish.update(undo_asked=wish) == 1

"""Record, with the undo's own outcome, that the effect it was for is undone."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F

from agents.events import announce
from agents.models import EffectRecord, Run, Step
from agents.services.dispatch import tell_effect


def record_undone(run: Run, undo: Step) -> None:
    """The caller holds the row of the undo's run, and has settled its step."""
    assert undo.undoes_id is not None
    effect = EffectRecord.objects.select_related(
        "step", "run__agent__owner_group", "run__agent_version"
    ).get(pk=undo.undoes_id)
    tell_effect(effect.run, "effect.compensated", effect.step, effect)
    if effect.run_id != run.pk:
        # Parents are locked before their children, and we hold the child: so afterwards.
        transaction.on_commit(partial(_renew, effect.run_id), robust=True)


def _renew(run_id: UUID) -> None:
    with transaction.atomic():
        Run.objects.filter(pk=run_id).update(version=F("version") + 1)
        announce(Run.objects.select_related("agent__owner_group").get(pk=run_id), "compensated")

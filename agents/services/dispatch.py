"""Commit the intent to do an effect before doing it, after looking at everything once more."""

from __future__ import annotations

from typing import Any

from approvals.services.consume import consume
from django.db.models import F

from agents.definitions import Agent
from agents.events import action_ref, announce, args_disclosure, tell
from agents.gating import effect_key
from agents.models import EffectRecord, Run, Step
from agents.services.claim import Lease, fenced
from agents.states import EffectState, StepState
from agents.tools import Tool
from approvals.digests import action_digest
from audit.actors import Actor
from audit.clock import database_now
from audit.errors import Conflict


class StepMoved(Conflict):
    code = "step_moved"

    def __init__(self) -> None:
        super().__init__("The step is no longer waiting to be done.")


def intend(lease: Lease, step: Step, tool: Tool, agent: Agent) -> EffectRecord:
    """Spend the approval (or the gate's allowance) and commit the intent to send.

    Raises a Refusal of `consume` when the approval does not hold any more: nothing is changed then.
    """
    with fenced(lease) as run:
        actor = Actor.agent(agent.slug)
        approval, revision, digest = None, None, step.input_digest
        if step.approval_id is not None:
            approval = step.approval_id
            decided = step.resolution or {}
            revision, digest = int(decided["revision"]), str(decided["digest"])
            consume(request_id=approval, revision=revision, digest=digest, actor=actor)
        if action_digest(tool.name, tool.version, step.arguments or {}) != digest:
            raise StepMoved
        now = database_now()
        effect = EffectRecord.objects.create(
            run=run,
            step=step,
            approval_id=approval,
            approval_revision=revision,
            digest=digest,
            effect_class=tool.effect_class.value,
            idempotency_key=effect_key(approval, revision, step.pk),
            state=EffectState.DISPATCHED,
            epoch=lease.epoch,
            sends=1,
            dispatched_at=now,
        )
        if not Step.objects.move(step.pk, StepState.DISPATCHED, epoch=lease.epoch):
            raise StepMoved
        tell_effect(run, "effect.dispatched", step, tool, effect)
        Run.objects.filter(pk=run.pk).update(version=F("version") + 1)
        announce(run, "dispatched")
        return effect


def send_again(lease: Lease, effect: EffectRecord) -> None:
    """Count one more sending of the same effect with the same key."""
    with fenced(lease):
        EffectRecord.objects.filter(pk=effect.pk, state=EffectState.DISPATCHED).update(
            sends=F("sends") + 1, epoch=lease.epoch
        )


def tell_effect(
    run: Run, type: str, step: Step, tool: Tool, effect: EffectRecord, **facts: Any
) -> None:
    """Record what happens to an effect, in the stream of its request where there is one."""
    tell(
        run,
        type,
        action=action_ref(step, tool.risk),
        request=effect.approval_id,
        facts={"effect": effect.pk, "effect_class": effect.effect_class, "step": step.seq, **facts},
        disclosures=[args_disclosure(run, effect.digest)],
    )

"""Commit the intent to do an effect before doing it, after looking at everything once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F

from agents.definitions import Agent
from agents.errors import CallStopped
from agents.events import action_ref, announce, args_disclosure, tell
from agents.gating import effect_key
from agents.holding import is_held
from agents.models import EffectRecord, Run, Step
from agents.services.claim import Lease, fenced
from agents.simulation_errors import InEarnest
from agents.states import EffectState, StepState, step_sources
from agents.tools import Tool
from agents.undoing import UNDOABLE
from approvals.digests import action_digest
from approvals.schemas import Preview
from approvals.services.consume import consume
from approvals.services.reopen import reopen_changed
from approvals.vocabulary import Risk
from audit.actors import Actor
from audit.errors import Conflict
from audit.fault_points import reached
from audit.schemas import Disclose
from audit.statements import rows

NOTHING_TO_UNDO = "It bounced, so there is nothing to undo."


class StepMoved(Conflict):
    code = "step_moved"

    def __init__(self) -> None:
        super().__init__("The step is no longer waiting to be done.")


@dataclass(frozen=True)
class Changed:
    """The world is no longer the one that the reviewers saw: its token and the preview of now."""

    token: str
    preview: Preview


@dataclass(frozen=True)
class Lapsed:
    """The approval may not be used any more; `sentence` says why, `code` in a word."""

    sentence: str
    code: str = "lapsed"


@dataclass(frozen=True)
class Reopened:
    """Nothing went out: the call waits for people again, or the run was told something meanwhile."""


def intend(
    lease: Lease, step: Step, tool: Tool, agent: Agent, changed: Changed | None
) -> EffectRecord | Lapsed | Reopened:
    """Spend the approval (or the gate's allowance) and commit the intent to send.

    `changed` sends the call back to review instead.
    Raises a Refusal, with nothing changed, when the approval may not be used now: CallStopped,
    NotConsumable, StepMoved.
    """
    with fenced(lease, with_switches=True) as run:
        if is_held(run, tool.name):
            raise CallStopped(agent.slug, tool.name)
        if run.cancel_requested_at is not None or run.paused_at is not None or run.unheard:
            return Reopened()
        if step.undoes_id is not None and not still_stands(step.undoes_id):
            return Lapsed(NOTHING_TO_UNDO, "did_not_happen")
        approval, revision, digest = step.approval_id, None, step.input_digest
        if approval is not None:
            decided = step.resolution or {}
            revision, digest = int(decided["revision"]), str(decided["digest"])
            held_up = spend(step, approval, revision, digest, agent, changed)
            if held_up is not None:
                return held_up
        if action_digest(tool.name, tool.version, step.arguments or {}) != digest:
            raise StepMoved
        effect = note_intent(run, step, tool, revision, digest)
        Run.objects.filter(pk=run.pk).update(version=F("version") + 1)
        announce(run, "dispatched")
        reached("intent.before_commit")
        return effect


# Step and effect in one statement: one of them alone would be a lie.
_INTENT = """
WITH moved AS (
    UPDATE agents_step SET state = 'dispatched', epoch = %s, stopped = false
     WHERE id = %s AND state = ANY(%s) RETURNING id, run_id, approval_id)
INSERT INTO agents_effect (
    id, run_id, step_id, approval_id, approval_revision, digest, effect_class, idempotency_key,
    provider, reference, callbacks, state, epoch, sends, dispatched_at)
SELECT %s, run_id, id, approval_id, %s, %s, %s, %s, %s, '', '[]', 'dispatched', %s, 1, clock_timestamp()
  FROM moved
RETURNING dispatched_at
"""
_FROM = [state.value for state in step_sources(StepState.DISPATCHED)]


def note_intent(
    run: Run, step: Step, tool: Tool, revision: int | None, digest: str
) -> EffectRecord:
    """Note, under the run's lock, that the call is about to be sent. Raises StepMoved."""
    if run.simulated:
        raise InEarnest("send anything")
    effect = EffectRecord(
        run=run,
        step=step,
        approval_id=step.approval_id,
        approval_revision=revision,
        digest=digest,
        effect_class=tool.effect_class.value,
        idempotency_key=effect_key(step.approval_id, revision, step.pk),
        provider=tool.callback,
        state=EffectState.DISPATCHED,
        epoch=run.epoch,
        sends=1,
    )
    noted = rows(
        _INTENT,
        [
            run.epoch,
            step.pk,
            _FROM,
            effect.pk,
            revision,
            digest,
            effect.effect_class,
            effect.idempotency_key,
            effect.provider,
            run.epoch,
        ],
    )
    if not noted:
        raise StepMoved
    effect.dispatched_at = noted[0][0]
    effect._state.adding = False
    tell_effect(run, "effect.dispatched", step, effect)
    return effect


def spend(
    step: Step, approval: UUID, revision: int, digest: str, agent: Agent, changed: Changed | None
) -> Lapsed | Reopened | None:
    """Consume the approval; what held it up, or None. The caller holds the run's row."""
    actor = Actor.agent(agent.slug)
    if changed is not None:
        what = "What the approval was given for has changed since."
        reopen_changed(
            request_id=approval, revision=revision, preview=changed.preview, what=what, actor=actor
        )
    else:
        spent = consume(request_id=approval, revision=revision, digest=digest, actor=actor)
        if spent.ok:
            return None
        if spent.outcome == "lapsed":
            return Lapsed(spent.sentence)
    token = changed.token if changed is not None else step.state_token
    Step.objects.filter(pk=step.pk).update(resolution=None, state_token=token)
    return Reopened()


def still_stands(effect_id: UUID) -> bool:
    """Whether what an undo is for has happened as far as anybody knows: it may have bounced since."""
    return EffectRecord.objects.filter(pk=effect_id, state__in=UNDOABLE).exists()


def send_again(lease: Lease, effect: EffectRecord) -> None:
    """Count one more sending of the same effect with the same key. Raises CallStopped."""
    with fenced(lease, with_switches=True) as run:
        if is_held(run, effect.step.name):
            raise CallStopped(run.agent.slug, effect.step.name)
        EffectRecord.objects.filter(pk=effect.pk, state=EffectState.DISPATCHED).update(
            sends=F("sends") + 1, epoch=lease.epoch
        )


def tell_effect(
    run: Run,
    type: str,
    step: Step,
    effect: EffectRecord,
    *,
    also: Sequence[Disclose] = (),
    **facts: Any,
) -> None:
    """Record what happens to an effect, in the stream of its request where there is one.

    `also` is disclosed beside the digest of the arguments.
    """
    assert step.judgement is not None, "every call with an effect is judged"
    tell(
        run,
        type,
        action=action_ref(step, Risk(step.judgement["action"]["risk"])),
        request=effect.approval_id,
        facts={"effect": effect.pk, "effect_class": effect.effect_class, "step": step.seq, **facts},
        disclosures=[args_disclosure(run, effect.digest), *also],
    )

"""Hear a provider's word on an effect that it had accepted: confirmed, or bounced after all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from agents.errors import CallbackContradicts, CallbackTooEarly, UnknownEffect
from agents.events import action_ref, announce, args_disclosure, tell
from agents.masking import sensitive_by_tool, withheld_values
from agents.models import EffectRecord, Run
from agents.queues import mail_bounce_on_commit
from agents.states import EffectState
from agents.storable import storable
from approvals.vocabulary import Risk
from approvals.withholding import Withheld
from audit.actors import Actor
from audit.clock import database_now
from audit.schemas import Disclose

UNSETTLED = (EffectState.READY, EffectState.DISPATCHED, EffectState.IN_DOUBT)
CALLBACK = Actor.system("callback")


@dataclass(frozen=True)
class Callback:
    """What the provider says: of which effect, by its reference or our key (or both), and what.

    `id` is the message's own; `state` is CONFIRMED or BOUNCED.
    """

    id: str
    state: EffectState
    reference: str = ""
    idempotency_key: str = ""
    detail: str = ""


def hear_callback(*, provider: str, callback: Callback) -> None:
    """Move the effect and record it; hearing the same again changes nothing.

    The caller has checked the provider's signature. Raises UnknownEffect; CallbackTooEarly while our
    own side does not know the outcome yet, so that the provider says it again; CallbackContradicts
    when something else was settled before, which is recorded once.
    """
    with transaction.atomic():
        refusal = _hear(provider, callback)
    if refusal is not None:
        # Raised after the commit: the contradiction stays on record.
        raise refusal


def _hear(provider: str, callback: Callback) -> CallbackContradicts | None:
    found = _find(provider, callback)
    run = (
        Run.objects.select_for_update(of=("self",), no_key=True)
        .select_related("agent", "agent_version")
        .get(pk=found.run_id)
    )
    effect = (
        EffectRecord.objects.select_for_update(of=("self",)).select_related("step").get(pk=found.pk)
    )
    if effect.state in UNSETTLED:
        raise CallbackTooEarly
    if effect.state == callback.state:
        return None
    if effect.state == EffectState.SUCCEEDED and callback.state == EffectState.CONFIRMED:
        return None
    heard = {
        "id": callback.id,
        "state": callback.state.value,
        "detail": storable(callback.detail),
        "at": database_now().isoformat(),
    }
    if effect.state == EffectState.ACCEPTED:
        _settle(run, effect, callback, heard)
        return None
    if not any(earlier["state"] == callback.state for earlier in effect.callbacks):
        EffectRecord.objects.filter(pk=effect.pk).update(callbacks=[*effect.callbacks, heard])
        _tell(run, "effect.contradicted", effect, callback)
    return CallbackContradicts(effect.state)


def _find(provider: str, callback: Callback) -> EffectRecord:
    mine = EffectRecord.objects.filter(provider=provider)
    # Asked first: a result that commits in between is found below.
    under_way = mine.filter(state__in=UNSETTLED).exists()
    if callback.idempotency_key:
        mine = mine.filter(idempotency_key=callback.idempotency_key)
    named = mine.filter(reference=callback.reference) if callback.reference else mine
    found = list(named.order_by("-id")[:2])
    if len(found) == 1:
        return found[0]
    if under_way and not found:
        raise CallbackTooEarly
    raise UnknownEffect


def _settle(run: Run, effect: EffectRecord, callback: Callback, heard: dict[str, Any]) -> None:
    bounced = callback.state == EffectState.BOUNCED
    EffectRecord.objects.move(
        effect.pk,
        callback.state,
        callbacks=[*effect.callbacks, heard],
        mail_due_at=database_now() if bounced else None,
    )
    _tell(run, f"effect.{callback.state.value}", effect, callback)
    Run.objects.filter(pk=run.pk).update(version=F("version") + 1)
    if bounced:
        mail_bounce_on_commit(effect.pk)
    announce(run, callback.state.value)


def _tell(run: Run, type: str, effect: EffectRecord, callback: Callback) -> None:
    step = effect.step
    assert step.judgement is not None, "every call with an effect is judged"
    subject = f"run:{run.pk}"
    sensitive = sensitive_by_tool([run.agent_version.definition])
    detail = Withheld(withheld_values([step], sensitive)).text(str(storable(callback.detail)))
    said = [Disclose("detail", detail, subject)] if detail else []
    tell(
        run,
        type,
        actor=CALLBACK,
        action=action_ref(step, Risk(step.judgement["action"]["risk"])),
        request=effect.approval_id,
        facts={
            "effect": effect.pk,
            "effect_class": effect.effect_class,
            "step": step.seq,
            "state": callback.state.value,
            "provider": effect.provider,
            "callback": callback.id,
        },
        disclosures=[args_disclosure(run, effect.digest), *said],
    )

"""Effects in plain words: whether they happened, bounced, or are undone. Pure."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext

from agents.models import EffectRecord, Step
from agents.states import EffectState
from audit.wordings import Words

EFFECT_STATES: Final = Words(
    {
        EffectState.READY: "not sent yet",
        EffectState.DISPATCHED: "sent; the answer is not there yet",
        EffectState.SUCCEEDED: "happened",
        EffectState.ACCEPTED: "accepted by the other side, not confirmed yet",
        EffectState.CONFIRMED: "happened, confirmed by the other side",
        EffectState.BOUNCED: "bounced",
        EffectState.FAILED: "did not happen",
        EffectState.IN_DOUBT: "unknown; a person looks",
    }
)

UNDOS: Final = Words(
    {
        "undone": "It was undone since.",
        "asked": "A person asked to undo it.",
    }
)


def effect_words(effect: EffectRecord | None, step: Step) -> str:
    """How the step's effect stands; empty without one."""
    if effect is None:
        return ""
    if effect.state == EffectState.SUCCEEDED and (step.output or {}).get("verified"):
        return gettext("happened; read back and found")
    return EFFECT_STATES.get(EffectState(effect.state), "")


def undo_words(effect: EffectRecord | None) -> str:
    """Whether the effect is undone, or is to be; empty otherwise."""
    return UNDOS.get(str(vars(effect).get("undo") or ""), "") if effect is not None else ""


def bounced_words(effect: EffectRecord | None) -> str:
    """That what was accepted has bounced, in the other side's words; empty where it has not."""
    if effect is None or effect.state != EffectState.BOUNCED:
        return ""
    detail = str(effect.callbacks[-1].get("detail") or "") if effect.callbacks else ""
    return (
        gettext("It bounced: {detail}").format(detail=detail) if detail else gettext("It bounced.")
    )

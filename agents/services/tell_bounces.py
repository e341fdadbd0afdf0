"""Tell the agent, before its model is asked again, that what had been accepted has bounced."""

from __future__ import annotations

import json

from django.db.models import F

from agents.events import announce
from agents.journal import Journal
from agents.models import EffectRecord, Run, Step
from agents.services.claim import Lease, fenced
from agents.states import EffectState, StepKind, StepState
from audit.clock import database_now

DETAIL_LENGTH = 500


def tell_bounces(lease: Lease, run: Run, journal: Journal) -> bool:
    """Journal what bounced and was not told yet; True when there was something.

    Untouched while a model call is being made again: its journal ends with that call.
    """
    if journal.begun_model_call is not None:
        return False
    accepted = {
        step.pk: step for step in journal.steps if (step.output or {}).get("status") == "accepted"
    }
    if not accepted:
        return False
    told = {(step.request or {}).get("bounced") for step in journal.steps}
    bounced = EffectRecord.objects.filter(run=run, step__in=accepted, state=EffectState.BOUNCED)
    new = [effect for effect in bounced.order_by("id") if str(effect.pk) not in told]
    if not new:
        return False
    with fenced(lease) as fresh:
        for offset, effect in enumerate(new):
            _journal(fresh, lease, accepted[effect.step_id], effect, journal.next_seq + offset)
        announce(fresh, "stepped")
    return True


def _journal(run: Run, lease: Lease, done: Step, effect: EffectRecord, seq: int) -> None:
    now = database_now()
    detail = str(effect.callbacks[-1]["detail"])[:DETAIL_LENGTH] if effect.callbacks else ""
    # The provider's words may be anybody's, such as those of the mail server that it could not reach.
    words = f" (untrusted text) {json.dumps(detail, ensure_ascii=False)}" if detail else ""
    told = f"What you did in call {done.call_id} ({done.name}) bounced:{words or ' no reason was given.'}"
    Step.objects.create(
        run=run,
        seq=seq,
        kind=StepKind.MESSAGE,
        name=done.name,
        state=StepState.SUCCEEDED,
        request={
            "bounced": str(effect.pk),
            "of": done.seq,
            "text": told,
            "sent_at": now.isoformat(),
        },
        output={"status": "bounced"},
        epoch=lease.epoch,
        started_at=now,
        finished_at=now,
    )
    changes: dict[str, object] = {}
    if detail and done.name not in run.tainted_by:
        run.tainted_by = [*run.tainted_by, done.name]
        changes = {"tainted": True, "tainted_by": run.tainted_by}
    Run.objects.filter(pk=run.pk).update(
        step_count=F("step_count") + 1, version=F("version") + 1, **changes
    )

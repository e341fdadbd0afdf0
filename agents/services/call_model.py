"""Journal a model call: begun before it is made, each failed attempt as it fails, then how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import F

from agents.errors import SwitchedOff
from agents.events import announce
from agents.holding import is_held
from agents.journal import Journal
from agents.journal_schemas import CONTEXT, Shortened, shortened
from agents.known_models import Known, known_of
from agents.llm_types import ModelError, Reply
from agents.models import OfferedTools, Run, Step
from agents.prices import Priced, charge, price_of
from agents.services.charge_agent import charge_reply
from agents.services.claim import Lease, fenced
from agents.states import StepKind, StepState
from audit.canonical import canonical_bytes, sha256_hex
from audit.clock import database_now
from audit.writes import insert

INTERRUPTED = {"code": "interrupted", "message": "The process died during the call."}


def digest_of(request: dict[str, Any]) -> str:
    """The digest of a whole request."""
    return sha256_hex(canonical_bytes(request))


def begin_model_call(
    lease: Lease,
    *,
    earlier: Journal,
    model: str,
    request: dict[str, Any],
    instead_of: str = "",
    notes: Mapping[str, Any] | None = None,
) -> Step | None:
    """Insert the step before the call, so that a crash in between is seen in the timeline.

    `instead_of`: the model whose place this one takes, which gave too many replies without a usable call.
    Of the request only what the earlier steps do not hold is stored; the digest is that of all of it.
    None, with nothing changed, where a person said something meanwhile: the model is to hear that too; and
    where a kill switch holds the run.
    """
    kept = shortened(request, earlier.steps, notes)
    with fenced(lease, with_switches=True) as run:
        if run.unheard or is_held(run):
            return None
        step = note_model_call(
            run,
            kept,
            earlier=earlier,
            model=model,
            digest=digest_of(request),
            instead_of=instead_of,
        )
        show_step(run)
        return step


def note_model_call(
    run: Run,
    kept: Shortened,
    *,
    earlier: Journal,
    model: str,
    digest: str,
    instead_of: str = "",
) -> Step:
    """Insert the step of a model call that is about to be made. The caller holds the run's row."""
    if kept.offer is not None:
        insert(OfferedTools(**kept.offer), unless_there=True)
    step = Step(
        run=run,
        seq=earlier.next_seq,
        kind=StepKind.MODEL,
        name=model or "model",
        state=StepState.STARTED,
        request=kept.request,
        schema=Step.CONTEXT_SCHEMA if CONTEXT in kept.request else Step.PLAIN_SCHEMA,
        input_digest=digest,
        output={"instead_of": instead_of} if instead_of else None,
        epoch=run.epoch,
        started_at=database_now(),
    )
    insert(step)
    return step


def record_attempt(lease: Lease, step: Step, failure: dict[str, Any]) -> None:
    """Add a failed attempt to the step. Raises SwitchedOff, once that is done, where the run is held."""
    with fenced(lease, with_switches=True) as run:
        now = database_now()
        step.attempts = [*step.attempts, {**failure, "at": now.isoformat()}]
        Step.objects.filter(pk=step.pk).update(attempts=step.attempts)
        show_step(run)
    if is_held(run):
        raise SwitchedOff


def describe_failure(error: ModelError) -> dict[str, Any]:
    """A failed attempt as the journal keeps it."""
    return {
        "code": error.code,
        "message": error.message,
        "status": error.status,
        "retry_after": error.retry_after,
        "latency_ms": error.latency_ms,
    }


def fail_model_call(lease: Lease, step: Step, error: ModelError) -> None:
    """Close the step without a reply."""
    with fenced(lease) as run:
        Step.objects.move(step.pk, StepState.FAILED, problem=error.code, finished_at=database_now())
        count_call(run)


def finish_model_call(run: Run, step: Step, reply: Reply) -> Known:
    """Close the step with its reply, and give what was known of its model before. The caller holds the
    fence."""
    now = database_now()
    step.response = reply.raw
    step.model = reply.model[:200]
    step.name = reply.asked or step.name
    known = known_of(run.agent_id, step.name, now)
    step.cost_micros = cost_by(known.price, reply)
    Step.objects.move(
        step.pk,
        StepState.SUCCEEDED,
        name=step.name,
        response=reply.raw,
        model=step.model,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        cost_micros=step.cost_micros,
        problem="" if reply.calls else "no_tool_call",
        finished_at=now,
    )
    count_call(run, reply, step.cost_micros)
    return known


def cost_of(reply: Reply, at: datetime) -> int | None:
    """What the reply costs, in millionths of the currency unit; None where nobody said a price."""
    return cost_by(price_of(reply.asked, at), reply)


def cost_by(price: Priced | None, reply: Reply) -> int | None:
    """The same by a price that is known."""
    if price is None:
        return None
    return charge(price, reply.tokens_in, reply.cached_in, reply.tokens_out)


def show_step(run: Run) -> None:
    """Let open pages see what the step came to; what is counted is counted when it ends."""
    Run.objects.change(run.pk, version=F("version") + 1)
    announce(run, "stepped")


def count_call(
    run: Run,
    reply: Reply | None = None,
    cost: int | None = None,
    *,
    made: bool = False,
    scores: bool = False,
) -> None:
    """Charge a call that ended to the run, whose row the caller holds, and to its agent.

    `reply` is what it gave, `cost` that in millionths of the currency unit, None where nobody said a price.
    `made`: it counts as a call, which it does by itself where there is a reply. `scores`: it gathered a score.
    """
    if reply is not None:
        charge_reply(run, reply, cost, scores=scores)
        return
    Run.objects.change(
        run.pk,
        step_count=F("step_count") + 1,
        model_calls=F("model_calls") + int(made),
        version=F("version") + 1,
        stalled_claims=0,
        **({"sleeps": 0} if made else {}),
    )

"""Journal the model call that picks a run's path: begun before it is made, then what it gave."""

from __future__ import annotations

from typing import Any

from agents.events import announce, tell
from agents.holding import is_held
from agents.journal import Journal
from agents.llm_types import Reply
from agents.models import Step
from agents.services.call_model import cost_of, count_call, digest_of, show_step
from agents.services.claim import Lease, fenced
from agents.states import StepKind, StepState
from audit.clock import database_now
from audit.fault_points import reached
from audit.writes import insert


def begin_route(lease: Lease, *, earlier: Journal, request: dict[str, Any]) -> Step | None:
    """Insert the step before the call is made; None, with nothing changed, where a person said something
    meanwhile, which is heard first, or a kill switch holds the run."""
    with fenced(lease, with_switches=True) as run:
        if run.unheard or is_held(run):
            return None
        step = Step(
            run=run,
            seq=earlier.next_seq,
            schema=Step.SCHEMA,
            kind=StepKind.ROUTE,
            name="classify",
            state=StepState.STARTED,
            request={"sent": request},
            input_digest=digest_of(request),
            epoch=run.epoch,
            started_at=database_now(),
        )
        insert(step)
        show_step(run)
    return step


def finish_route(lease: Lease, step: Step, reply: Reply | None, output: dict[str, Any]) -> None:
    """Close the step with the path it gave, or why there is none, and charge the call to the run."""
    with fenced(lease) as run:
        now = database_now()
        cost = cost_of(reply, now) if reply else None
        Step.objects.move(
            step.pk,
            StepState.SUCCEEDED,
            response=reply.raw if reply else None,
            output=output,
            model=reply.model[:200] if reply else "",
            tokens_in=reply.tokens_in if reply else 0,
            tokens_out=reply.tokens_out if reply else 0,
            cost_micros=cost,
            finished_at=now,
        )
        count_call(run, reply, cost, made=True)
        tell(run, "model.called", facts={"step": step.seq, "why": "route"})
        announce(run, "stepped")
        reached("route.before_commit")

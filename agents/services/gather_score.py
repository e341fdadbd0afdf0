"""Journal a further model call that gathers a score: begun before it is made, then what it gave.

Such a step always ends as done, with what went wrong in its output, so that its state tells nothing of a score
that is secret yet; for the same reason its event holds no counts of tokens.
"""

from __future__ import annotations

from typing import Any

from agents.events import announce, tell
from agents.gathering import Wanted
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


def begin_score(
    lease: Lease, *, earlier: Journal, wanted: Wanted, request: dict[str, Any]
) -> Step | None:
    """Insert the step before the call is made; None, with nothing changed, where a person said something
    meanwhile, which is heard first, or a kill switch holds the run."""
    asked: dict[str, Any] = {"of": wanted.of}
    if wanted.source == "agreement":
        # The same request as the reply's, which the journal holds.
        asked["sample"] = wanted.sample
    else:
        asked["sent"] = request
    with fenced(lease, with_switches=True) as run:
        if run.unheard or is_held(run):
            return None
        step = Step(
            run=run,
            seq=earlier.next_seq,
            schema=Step.SCORE_SCHEMA,
            kind=StepKind.SCORE,
            name=wanted.source,
            state=StepState.STARTED,
            request=asked,
            input_digest=digest_of(request),
            epoch=run.epoch,
            started_at=database_now(),
        )
        insert(step)
        show_step(run)
    return step


def finish_score(lease: Lease, step: Step, reply: Reply | None, output: dict[str, Any]) -> None:
    """Close the step with what it gave, and charge the call to the run."""
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
        tell(run, "model.called", facts={"step": step.seq, "why": step.name})
        announce(run, "stepped")
        reached("score.before_commit", of=step.name)

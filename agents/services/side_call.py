"""Journal a model call beside the conversation, one that scores a call or picks a path: begun, then what it gave.

Such a step always ends as done, with what went wrong in its output: the run goes on either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents.events import announce, exchange_disclosure, tell
from agents.holding import is_held
from agents.journal import Journal
from agents.llm_types import Reply
from agents.models import Step
from agents.services.call_model import cost_of, count_call, digest_of, show_step
from agents.services.claim import Lease, fenced
from agents.states import StepKind, StepState
from audit.clock import database_now
from audit.writes import insert


def begin_side_call(
    lease: Lease, step: Step, *, earlier: Journal, request: dict[str, Any]
) -> Step | None:
    """Insert the step before the call is made; None, with nothing changed, where a person said something
    meanwhile, which is heard first, or a kill switch holds the run.

    `step` says its kind, name and schema and what the journal keeps of the request; the rest is filled in.
    """
    with fenced(lease, with_switches=True) as run:
        if run.unheard or is_held(run):
            return None
        step.run, step.seq, step.epoch = run, earlier.next_seq, run.epoch
        step.state, step.started_at = StepState.STARTED, database_now()
        step.input_digest = digest_of(request)
        insert(step)
        show_step(run)
    return step


def finish_side_call(
    lease: Lease,
    step: Step,
    reply: Reply | None,
    output: dict[str, Any],
    *,
    why: str,
    before_commit: Callable[[], None],
) -> None:
    """Close the step with what it gave, or why it gave nothing, and charge the call to the run.

    `why`: what the call was for, as its event says; that holds no counts of tokens, since these would tell
    of a score that is secret yet. `before_commit` is where a test may let the process die.
    """
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
        count_call(run, reply, cost, made=True, scores=step.kind == StepKind.SCORE)
        # Of the request alone: whoever knows a short reply's digest could find out the score by trying.
        asked = exchange_disclosure(run, step, None)
        tell(run, "model.called", facts={"step": step.seq, "why": why}, disclosures=[asked])
        announce(run, "stepped")
        before_commit()

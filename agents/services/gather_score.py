"""Journal a further model call that gathers a score. Its state tells nothing of a score that is secret yet."""

from __future__ import annotations

from typing import Any

from agents.gathering import Wanted
from agents.journal import Journal
from agents.llm_types import Reply
from agents.models import Step
from agents.services.claim import Lease
from agents.services.side_call import begin_side_call, finish_side_call
from agents.states import StepKind
from audit.fault_points import reached


def begin_score(
    lease: Lease, *, earlier: Journal, wanted: Wanted, request: dict[str, Any]
) -> Step | None:
    """The step of the call, inserted before that is made; None where it is not to be made now."""
    asked: dict[str, Any] = {"of": wanted.of}
    if wanted.source == "agreement":
        # The same request as the reply's, which the journal holds.
        asked["sample"] = wanted.sample
    else:
        asked["sent"] = request
    step = Step(schema=Step.SCORE_SCHEMA, kind=StepKind.SCORE, name=wanted.source, request=asked)
    return begin_side_call(lease, step, earlier=earlier, request=request)


def finish_score(lease: Lease, step: Step, reply: Reply | None, output: dict[str, Any]) -> None:
    """Close the step with what it gave."""
    finish_side_call(
        lease,
        step,
        reply,
        output,
        why=step.name,
        before_commit=lambda: reached("score.before_commit", of=step.name),
    )

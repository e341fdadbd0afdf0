"""Journal the model call that picks a run's path."""

from __future__ import annotations

from typing import Any

from agents.journal import Journal
from agents.llm_types import Reply
from agents.models import Step
from agents.services.claim import Lease
from agents.services.side_call import begin_side_call, finish_side_call
from agents.states import StepKind
from audit.fault_points import reached


def begin_route(lease: Lease, *, earlier: Journal, request: dict[str, Any]) -> Step | None:
    """The step of the call, inserted before that is made; None where it is not to be made now."""
    step = Step(
        schema=Step.CONTEXT_SCHEMA, kind=StepKind.ROUTE, name="classify", request={"sent": request}
    )
    return begin_side_call(lease, step, earlier=earlier, request=request)


def finish_route(lease: Lease, step: Step, reply: Reply | None, output: dict[str, Any]) -> None:
    """Close the step with the path it gave, or why there is none."""
    finish_side_call(
        lease,
        step,
        reply,
        output,
        why="route",
        before_commit=lambda: reached("route.before_commit"),
    )

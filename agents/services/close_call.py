"""Close a call whose work is the engine's: what the agent is told, and that the run is a step further."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import F

from agents.events import announce
from agents.models import Run, Step
from agents.states import StepState
from audit.clock import database_now


def close_call(
    run: Run, step: Step, output: dict[str, Any], *, problem: str, taints: Sequence[str] = ()
) -> None:
    """Inside the caller's transaction, which holds the run's lock. `problem` where nothing was done; `taints`: what
    of it nobody vouches for and the run had not read."""
    Step.objects.move(
        step.pk,
        StepState.FAILED if problem else StepState.SUCCEEDED,
        output=output,
        problem=problem,
        finished_at=database_now(),
    )
    taint: dict[str, Any] = {}
    if taints:
        taint = {"tainted": True, "tainted_by": [*run.tainted_by, *taints]}
    Run.objects.change(
        run.pk,
        step_count=F("step_count") + 1,
        tool_calls=F("tool_calls") + 1,
        version=F("version") + 1,
        stalled_claims=0,
        **taint,
    )
    announce(run, "stepped")

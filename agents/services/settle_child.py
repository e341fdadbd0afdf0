"""Take what came of a run that was delegated to: its answer, its taint and what it cost."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from agents.child_results import result_of_child, taint_of
from agents.done import done_for_parent
from agents.events import announce
from agents.models import Run, Step
from agents.services.claim import Lease, fenced
from agents.states import StepState
from audit.clock import database_now
from audit.fault_points import reached


def settle_child(lease: Lease, step: Step) -> None:
    """Close the step with what the agent is told of its child, which has ended; tokens and cost of the child
    are charged to the run."""
    with fenced(lease) as run:
        child = Run.objects.select_related("agent", "agent_version").get(delegated_by=step)
        assert child.ended, "it says so itself, in the transaction of its end"
        problem, output = result_of_child(child, done_for_parent(child))
        read = taint_of(child, run)
        taint: dict[str, Any] = {}
        if read:
            output["taints"] = read
            taint = {"tainted": True, "tainted_by": [*run.tainted_by, read]}
        landed = Step.objects.move(
            step.pk,
            StepState.FAILED if problem else StepState.SUCCEEDED,
            output=output,
            problem=problem,
            finished_at=database_now(),
        )
        assert landed, "nobody else settles a call of a run that is at work"
        Run.objects.change(
            run.pk,
            step_count=F("step_count") + 1,
            tool_calls=F("tool_calls") + 1,
            tokens_in=F("tokens_in") + child.tokens_in,
            tokens_out=F("tokens_out") + child.tokens_out,
            cost_micros=F("cost_micros") + child.cost_micros,
            unpriced_calls=F("unpriced_calls") + child.unpriced_calls,
            version=F("version") + 1,
            stalled_claims=0,
            **taint,
        )
        announce(run, "stepped")
        reached("child.taking")

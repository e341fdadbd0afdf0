"""Settle a call of a simulated run with what it is said to have come to: nothing is sent, and nobody is asked."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from agents.events import announce
from agents.models import Run, Step
from agents.services.claim import Lease, fenced
from agents.simulation import SIMULATED, Simulated
from agents.states import StepKind
from agents.tools import Trust
from audit.clock import database_now
from audit.fault_points import reached

CALLS = frozenset({StepKind.TOOL, StepKind.DELEGATE})


def settle_simulated(lease: Lease, step: Step, simulated: Simulated) -> None:
    """Journal it. What is untrusted taints the run, as it did the one that it is taken from."""
    with fenced(lease) as run:
        assert run.simulated, "only calls of a simulated run are answered without being made"
        output = simulated.output
        Step.objects.move(
            step.pk,
            simulated.state,
            output=output,
            problem=simulated.problem,
            request={**(step.request or {}), SIMULATED: dict(simulated.source)},
            finished_at=database_now(),
            **({} if simulated.arguments is None else {"arguments": dict(simulated.arguments)}),
        )
        taint: dict[str, Any] = {}
        if output.get("trust") == Trust.UNTRUSTED and step.name not in run.tainted_by:
            taint = {"tainted": True, "tainted_by": [*run.tainted_by, step.name]}
        Run.objects.change(
            run.pk,
            step_count=F("step_count") + 1,
            tool_calls=F("tool_calls") + int(step.kind in CALLS),
            version=F("version") + 1,
            stalled_claims=0,
            **taint,
        )
        announce(run, "stepped")
        reached("simulated.before_commit")

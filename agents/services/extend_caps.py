"""Raise a run's caps as a person allowed."""

from __future__ import annotations

from django.db.models import F

from agents.events import announce
from agents.models import Run, Step
from agents.services.claim import Lease, fenced
from agents.states import StepState
from audit.clock import database_now


def extend_caps(lease: Lease, step: Step, caps: dict[str, int]) -> None:
    """Add to the run's caps and close the budget step."""
    with fenced(lease) as run:
        extra = dict(run.extra_caps)
        for name, amount in caps.items():
            extra[name] = int(extra.get(name, 0)) + int(amount)
        Run.objects.filter(pk=run.pk).update(extra_caps=extra, version=F("version") + 1)
        Step.objects.move(
            step.pk,
            StepState.SUCCEEDED,
            output={"status": "extended", "caps": caps},
            finished_at=database_now(),
        )
        announce(run, "stepped")

"""Answers the simulated runs of evaluations: what `agents` asks for as a port."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from agents.models import Step
from agents.simulation import Answers
from evaluations.models import CaseResult
from evaluations.script import scenario


class CaseScripts:
    """Fills in `agents.simulation_ports.Scripts` with the scripts of cases."""

    def answers_of(self, run: UUID, steps: Sequence[Step]) -> Answers | None:
        script = CaseResult.objects.filter(run_id=run).values_list("script", flat=True).first()
        return None if script is None else scenario(script, steps)

"""Simulated runs: where the answers to their calls come from."""

from __future__ import annotations

from django.db import models

from agents.models.fields import choices_of, values_of
from agents.models.run import Run
from agents.states import Unanswered


class Simulation(models.Model):
    """What the calls of a simulated run are answered from; see `agents.simulation`.

    `sources`: runs, with the seq of their last step that counts, the nearest one first. `answers`: those that
    were given with the run, in order. `unanswered`: what becomes of a call that neither of them answers.
    """

    run = models.OneToOneField(
        Run, primary_key=True, on_delete=models.CASCADE, related_name="simulation"
    )
    sources = models.JSONField(default=list, blank=True)
    answers = models.JSONField(default=list, blank=True)
    unanswered = models.CharField(max_length=12, choices=choices_of(Unanswered))

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(unanswered__in=values_of(Unanswered)),
                name="simulation_unanswered_known",
            )
        ]

    def __str__(self) -> str:
        return f"simulation of {self.run_id}"

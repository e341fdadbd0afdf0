"""What calls share: resources that one run may touch at a time, and the health of tools."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from agents.models.run import Run
from agents.models.step import Step


class ResourceClaim(models.Model):
    """A call's place in the line for a resource; `held` once it is its turn. Tickets grow with time."""

    ticket = models.BigAutoField(primary_key=True)
    resource = models.CharField(max_length=200)
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="resource_claims")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="resource_claims")
    held = models.BooleanField(default=False)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["step", "resource"], name="resource_claim_once_per_step"
            ),
            models.UniqueConstraint(
                fields=["resource"], condition=Q(held=True), name="resource_held_once"
            ),
        ]
        indexes = [
            models.Index(fields=["resource", "ticket"], name="resource_line"),
            models.Index(fields=["run"], condition=Q(held=False), name="resource_claim_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.resource} ({'held' if self.held else 'waiting'})"


class ToolHealth(models.Model):
    """What all workers know of a tool: how fast it may be called, and whether it fails again and again.

    It is not called before `open_until`; then one step, `probe`, finds out, and has until then.
    """

    tool = models.CharField(max_length=128, primary_key=True)
    allowance = models.FloatField(default=0.0)
    refilled_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)
    probe = models.UUIDField(null=True, blank=True)

    def __str__(self) -> str:
        return self.tool

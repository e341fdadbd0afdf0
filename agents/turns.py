"""Whether a call may begin now: it holds what it would touch, and its tool may be called."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from agents.definitions import Agent
from agents.holding import is_held
from agents.models import Run, Step
from agents.resources import names_of
from agents.services.break_circuit import seconds_left, take_probe
from agents.services.claim import Lease, fenced
from agents.services.spend_allowance import spend_allowance
from agents.services.take_locks import take_locks
from agents.states import StepKind
from agents.tool_health import is_troubled
from agents.tools import Tool

SOON_SECONDS = 1.0


@dataclass(frozen=True)
class Turns:
    """The turns of a run's open calls.

    `in_line` are those that wait for a resource; `stopped` those that a kill switch holds; `held_back` those
    whose tool may not be called yet, with the seconds until it may.
    """

    lease: Lease
    run: Run
    agent: Agent
    in_line: set[UUID] = field(default_factory=set)
    stopped: list[Step] = field(default_factory=list)
    held_back: dict[UUID, float] = field(default_factory=dict)

    def has_come(self, step: Step) -> bool:
        """Whether the call holds all its resources now. Raises LocksUnknown."""
        tool = self.agent.tool(step.name) if step.kind == StepKind.TOOL else None
        if tool is None or (tool.lock_namer is None and not step.locks):
            return True
        if take_locks(self.lease, step, names_of(tool, step)):
            return True
        self.in_line.add(step.pk)
        return False

    def may_run(self, step: Step) -> bool:
        """Whether the call may be made now. Raises LocksUnknown."""
        tool = self.agent.tool(step.name)
        if tool is None:
            return True
        if is_held(self.run, tool.name):
            self.stopped.append(step)
            return False
        if not self.has_come(step):
            return False
        seconds, why = self._until_callable(tool, step)
        if seconds <= 0:
            return True
        self.held_back[step.pk] = seconds
        if (step.request or {}).get("held_back") != why:
            with fenced(self.lease):
                step.request = {**(step.request or {}), "held_back": why}
                Step.objects.filter(pk=step.pk).update(request=step.request)
        return False

    def _until_callable(self, tool: Tool, step: Step) -> tuple[float, str]:
        left = seconds_left(tool, step.pk) if is_troubled(self.run, tool) else None
        if left is not None and left > 0:
            return left, "failures"
        seconds = spend_allowance(tool)
        if seconds > 0:
            return seconds, "rate"
        if left is not None and not take_probe(tool, step.pk):
            return SOON_SECONDS, "failures"
        return 0.0, ""

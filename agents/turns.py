"""Whether a call may begin now: it holds what it would touch."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from agents.definitions import Agent
from agents.models import Step
from agents.resources import names_of
from agents.services.claim import Lease
from agents.services.take_locks import take_locks
from agents.states import StepKind


@dataclass(frozen=True)
class Turns:
    """The turns of a run's open calls; `in_line` are those that wait for theirs."""

    lease: Lease
    agent: Agent
    in_line: set[UUID] = field(default_factory=set)

    def has_come(self, step: Step) -> bool:
        """Whether the call holds all its resources now. Raises LocksUnknown."""
        tool = self.agent.tool(step.name) if step.kind == StepKind.TOOL else None
        if tool is None or (tool.lock_namer is None and not step.locks):
            return True
        if take_locks(self.lease, step, names_of(tool, step)):
            return True
        self.in_line.add(step.pk)
        return False

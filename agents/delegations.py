"""The calls of a reply that hand work to other agents: each starts a run, and takes what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agents.caps import Cap, cap_at, caps_in_force
from agents.definitions import Agent
from agents.journal import ENDED, Journal
from agents.models import Run, Step
from agents.people_steps import budget
from agents.services.claim import Lease
from agents.services.dispatch import Lapsed, Reopened
from agents.services.settle import settle_refused
from agents.services.settle_child import settle_child
from agents.services.start_child import Unfit, start_child
from agents.states import StepKind
from agents.tools import Tool
from audit.fault_points import reached

DEEPEST: Final = 5
"""No run stands deeper, whoever allows it."""


@dataclass(frozen=True)
class Delegations:
    """The delegations of a run."""

    lease: Lease
    run: Run
    agent: Agent
    journal: Journal

    def start(self, step: Step, tool: Tool) -> bool:
        """Start the run that the call is for; True when the run goes on.

        Raises a Refusal, with nothing done, when its approval may not be used.
        """
        cap = self._reached_cap()
        if cap is not None:
            return budget(self.lease, self.run, self.journal, cap)
        deepest = deepest_of(self.agent, self.run)
        found = start_child(self.lease, step, tool, self.agent, deepest=deepest)
        match found:
            case Unfit(code, message):
                settle_refused(self.lease, step, status="failed", code=code, message=message)
            case Lapsed(sentence, code):
                settle_refused(self.lease, step, status="lapsed", code=code, message=sentence)
            case Reopened():
                pass
            case _:
                reached("child.started")
        return True

    def take(self, step: Step) -> bool:
        """Take what came of the run that the call started."""
        settle_child(self.lease, step)
        reached("child.taken")
        return True

    def _reached_cap(self) -> Cap | None:
        deepest = deepest_of(self.agent, self.run)
        if self.run.depth >= deepest:
            return Cap("depth", self.run.depth, deepest, most=max(0, DEEPEST - deepest))
        started = Run.objects.filter(parent=self.run, delegated_by__isnull=False).count()
        return cap_at(self.agent, self.run, "children", started)


def deepest_of(agent: Agent, run: Run) -> int:
    """The depth at which runs below this one may stand: what its own agent and those above it allow, and
    what people added to that."""
    allowed = run.depth + caps_in_force(agent, run).depth if run.deepest is None else run.deepest
    return int(allowed) + int(run.extra_caps.get("depth", 0))


def behind(steps: list[Step]) -> list[Step]:
    """Of a reply's open calls those whose run has ended while that of an earlier one has not: they are settled
    in the reply's order."""
    found: list[Step] = []
    waiting = False
    for step in steps:
        if step.kind != StepKind.DELEGATE:
            continue
        resolution: dict[str, Any] | None = step.resolution
        if waiting and resolution is not None and resolution["kind"] == ENDED:
            found.append(step)
        waiting = waiting or resolution is None
    return found

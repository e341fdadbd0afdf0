"""Whether the engine itself may do a call now: nothing holds the run, and there is an approval or an allowance."""

from __future__ import annotations

from agents.definitions import Agent
from agents.errors import CallStopped
from agents.holding import is_held
from agents.models import Run, Step
from agents.services.dispatch import Lapsed, Reopened, StepMoved, spend
from agents.tools import Tool
from approvals.digests import action_digest


def may_go_on(run: Run, tool: Tool, agent: Agent) -> bool:
    """Whether the run, which the caller locked with its switches, goes on. Raises CallStopped."""
    if is_held(run, tool.name):
        raise CallStopped(agent.slug, tool.name)
    return run.cancel_requested_at is None and run.paused_at is None and not run.unheard


def use_leave(step: Step, tool: Tool, agent: Agent) -> Lapsed | Reopened | None:
    """Spend the approval of the call, or take the gate's allowance; None where it may be done now.

    The caller holds the run's row. Raises NotConsumable, StepMoved.
    """
    digest = step.input_digest
    if step.approval_id is not None:
        decided = step.resolution or {}
        revision, digest = int(decided["revision"]), str(decided["digest"])
        held_up = spend(step, step.approval_id, revision, digest, agent, None)
        if held_up is not None:
            return held_up
    if action_digest(tool.name, tool.version, step.arguments or {}) != digest:
        raise StepMoved
    return None

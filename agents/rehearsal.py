"""Running an agent by hand, one advance after the other, and reading what came of it: for tests of authors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agents import registry
from agents.definitions import Agent
from agents.models import Run, Step
from agents.runner import advance
from agents.services.operate_agent import activate_version
from agents.services.sync import sync_agents
from agents.states import StepKind
from audit.actors import Actor

BY_HAND = Actor.system("rehearsal")


@dataclass(frozen=True)
class Called:
    """One call that the model proposed: `state` is as the journal says (`succeeded`, `refused`, `waiting` …),
    `problem` a code and `message` what the model was told, both empty for one that succeeded."""

    name: str
    arguments: dict[str, Any]
    state: str
    result: Any
    problem: str
    message: str


@dataclass(frozen=True)
class Stand:
    """How a run stands: its state, and once it has ended how, with what answer or failure."""

    state: str
    outcome: str
    output: dict[str, Any] | None
    failure: dict[str, Any] | None


def host(agent: Agent) -> None:
    """Install the agent in this process and activate its version, as a deploy and its owners would."""
    registry.unregister(agent.slug)
    registry.register(agent)
    sync_agents([agent], actor=BY_HAND)
    activate_version(slug=agent.slug, digest=agent.version, caller=BY_HAND)


def advance_by_hand(run: UUID) -> None:
    """Advance the run in this process as far as it goes."""
    advance(run, owner="rehearsal", stopping=lambda: False)


def stand_of(run: UUID) -> Stand:
    """How the run stands now."""
    row = Run.objects.get(pk=run)
    return Stand(row.state, row.outcome, row.output, row.failure)


def calls_of(run: UUID) -> list[Called]:
    """The calls of tools that the model proposed, in order."""
    steps = Step.objects.filter(run_id=run, kind=StepKind.TOOL).in_order()
    return [_called(step) for step in steps]


def _called(step: Step) -> Called:
    output = step.output or {}
    return Called(
        name=step.name,
        arguments=step.arguments or {},
        state=step.state,
        result=output.get("result"),
        problem=step.problem,
        message=str(output.get("message") or ""),
    )

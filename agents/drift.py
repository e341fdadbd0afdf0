"""What a deploy changed under a run: tools that its version had and that are gone or different now. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agents.definitions import Agent
from agents.journal import Journal
from agents.models import Run, Step
from agents.states import StepKind

NEWEST_SCHEMA = Step.SCHEMA


@dataclass(frozen=True)
class Trouble:
    """Why a run cannot go on by itself, for the person who looks at it."""

    code: str
    title: str
    summary: str
    facts: dict[str, str]


def describe_drift(agent: Agent | None, run: Run, journal: Journal) -> Trouble | None:
    """The trouble, or None when the installed agent can go on with the run.

    A changed prompt alone is no trouble: the run finishes on its own version's instructions. A person
    who answered *continue* has accepted the installed tools.
    """
    if any(step.schema > NEWEST_SCHEMA for step in journal.steps):
        return Trouble(
            "journal_too_new",
            "the journal was written by a newer release",
            "This release cannot read it. Finish the deploy, then go on.",
            {},
        )
    if agent is None:
        return Trouble(
            "agent_gone",
            "the agent is not installed any more",
            "No installed app declares it. Install it again, then go on, or stop the run.",
            {"Agent": run.agent.slug},
        )
    if agent.version == run.agent_version.digest or _accepted(journal):
        return None
    changed = changed_tools(agent, run.agent_version.definition)
    if not changed:
        return None
    return Trouble(
        "tools_changed",
        "its tools changed while it was parked",
        "Go on with the installed tools, or stop the run.",
        {"Changed": ", ".join(changed)},
    )


def changed_tools(agent: Agent, definition: dict[str, object]) -> list[str]:
    """Names of the tools of a recorded definition that are gone or described differently now."""
    recorded = definition.get("tools")
    assert isinstance(recorded, list)
    now = {tool.name: tool.describe() for tool in agent.tools}
    return [tool["name"] for tool in recorded if now.get(tool["name"]) != tool]


def _accepted(journal: Journal) -> bool:
    return any(
        step.kind == StepKind.ATTENTION
        and (step.request or {}).get("code") == "tools_changed"
        and (step.output or {}).get("continue")
        for step in journal.steps
    )

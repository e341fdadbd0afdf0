"""What a deploy changed under a run: tools that its version had and that are gone or different now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.definitions import DEFINITION_SCHEMA, Agent
from agents.flow_changes import changed_states
from agents.journal import Journal
from agents.models import Run, Step
from agents.schema_compat import meaning, takes_all_of
from agents.states import StepKind, StepState
from agents.version_changes import changes_between

TOOLS_CHANGED: Final = "tools_changed"
FINISH_OLD: Final = "finish_old"
USE_NEW: Final = "use_new"
JUDGED_BY: Final = ("version", "risk", "effects", "reversible", "effect_class")
"""What of a tool decides, beside its schema, how a call of it is judged and carried out."""


@dataclass(frozen=True)
class WayOn:
    """One way to go on that a person may choose; `means` says what then happens."""

    value: str
    label: str
    means: str


OTHER_TOOLS: Final = (
    "It was started with tools that are not the ones installed now. Say how it goes on."
)
OTHER_WORKFLOW: Final = (
    "It follows code that is not the one installed now, so it cannot finish on the old definition. What it did "
    "stands; going on, it takes the installed code from the state that comes next."
)
OLD_IS_GONE: Final = " The old definition cannot be finished: its tools are not there."
OLD: Final = WayOn(
    FINISH_OLD,
    "Finish on the old definition",
    "The run keeps its instructions, limits and the tools as they were described to it. Its calls are "
    "carried out and judged by the tools as they are now. Calls that were judged otherwise are withdrawn.",
)
NEW: Final = WayOn(
    USE_NEW,
    "Go on with the new one",
    "The run takes the installed version, once that is activated. Waiting and approved calls of changed "
    "tools are withdrawn; the agent reads that and may propose them again.",
)


@dataclass(frozen=True)
class Trouble:
    """Why a run cannot go on by itself, for the person who looks at it.

    With `choices` one of them has to be chosen, or the run stopped; with `calls`, the steps that show it, it
    may also just go on. `changes` are sentences; `installed` is the digest of the version that the choice is
    about.
    """

    code: str
    title: str
    summary: str
    facts: dict[str, str]
    changes: tuple[str, ...] = ()
    choices: tuple[WayOn, ...] = ()
    installed: str = ""
    calls: tuple[int, ...] = ()


def describe_drift(agent: Agent | None, run: Run, journal: Journal) -> Trouble | None:
    """The trouble, or None when the run can go on with the installed agent.

    A changed prompt alone is no trouble: the run finishes on its own version. Whoever chose to finish on
    the old definition chose that for the installed version of then, not for a later one.
    """
    definition = run.agent_version.definition
    if definition.get("schema", 1) > DEFINITION_SCHEMA or any(
        step.schema > Step.SCHEMA for step in journal.steps
    ):
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
    if agent.version == run.agent_version.digest:
        return None
    tools = changed_tools(agent, definition)
    states = changed_states(definition, agent.definition)
    # Code that decided for it until now is not there any more.
    possible = not states and may_finish_old(agent, definition)
    if not (tools or states) or (possible and _chosen(journal, agent.version) == FINISH_OLD):
        return None
    active = run.agent.active_version
    return Trouble(
        TOOLS_CHANGED,
        f"its {'workflow' if states else 'tools'} changed while it was under way",
        (OTHER_WORKFLOW if states else OTHER_TOOLS)
        + ("" if possible or states else OLD_IS_GONE)
        + (
            ""
            if active is not None and active.digest == agent.version
            else " The new version is not activated; going on with it waits for that."
        ),
        {
            **({"Changed tools": ", ".join(tools)} if tools else {}),
            **({"Changed states": ", ".join(states)} if states else {}),
        },
        changes=tuple(changes_between(definition, agent.definition)),
        choices=(OLD, NEW) if possible else (NEW,),
        installed=agent.version,
    )


def is_for_others(trouble: Trouble, run: Run) -> bool:
    """Whether processes of another release can surely go on with the run, as while a deploy rolls.

    They wrote its journal, or the run is on the version that is activated, which is not the one here.
    """
    return trouble.code == "journal_too_new" or (
        trouble.code == TOOLS_CHANGED and run.agent.active_version_id == run.agent_version_id
    )


def changed_tools(agent: Agent, definition: Mapping[str, Any]) -> list[str]:
    """Names of the tools of a recorded definition that are gone, or judged or called differently now.

    Words that only the model reads are no change, nor are tools that came new.
    """
    return [old["name"] for old in definition["tools"] if not _same(agent, old)]


def _same(agent: Agent, old: Mapping[str, Any]) -> bool:
    tool = agent.tool(old["name"])
    if tool is None:
        return False
    now = tool.describe()
    return all(now[key] == old.get(key) for key in JUDGED_BY) and meaning(now["schema"]) == meaning(
        old["schema"]
    )


def may_finish_old(agent: Agent, definition: Mapping[str, Any]) -> bool:
    """Whether every tool of the recorded definition is there and takes what was described to the model."""
    return all(
        (tool := agent.tool(old["name"])) is not None and takes_all_of(tool.schema(), old["schema"])
        for old in definition["tools"]
    )


def stale_calls(agent: Agent, installed: Agent, journal: Journal) -> list[Step]:
    """Calls that are not sent yet and were judged as another call than the one which would run now.

    `agent` is the one the run is advanced with. An approval binds tool, version and arguments; a tool
    that is gone, or has another risk, effect or schema by now, was not what anybody looked at.
    """
    return [
        step
        for step in journal.unsettled
        if step.kind == StepKind.TOOL
        and step.state in (StepState.PROPOSED, StepState.WAITING)
        and step.judgement is not None
        # Whoever refused it is heard.
        and (step.resolution or {}).get("kind", "approved") == "approved"
        and step.judgement["action"]["agent_version"] != installed.version
        and not _judged_as_is(agent, step.name, step.judgement)
    ]


def _judged_as_is(agent: Agent, name: str, judgement: Mapping[str, Any]) -> bool:
    tool, action = agent.tool(name), judgement["action"]
    return (
        tool is not None
        and action["tool_version"] == tool.version
        and action["risk"] == tool.risk.value
        and set(action["effects"]) == {effect.value for effect in tool.effects}
        and action["reversible"] == tool.reversible
        # Releases before journal schema 2 did not record it.
        and judgement.get("effect_class") in (None, tool.effect_class.value)
        and meaning(action["argument_schema"]) == meaning(tool.schema())
    )


def _chosen(journal: Journal, installed: str) -> str | None:
    """What a person chose about this installed version, if one did."""
    for step in reversed(journal.steps):
        if step.kind == StepKind.ATTENTION and (step.request or {}).get("code") == TOOLS_CHANGED:
            output = step.output or {}
            if output.get("installed") == installed:
                return str(output.get("choice"))
    return None

"""The agent as a run knows it: the recorded definition of its version, joined with the functions installed now.

What the model reads and what bounds the run is recorded: instructions, descriptions and schemas of the
tools, models, budget, the schema of the answer. What a call does, and how it is judged, is that of the
installed tool: its function, version, risk, effects and effect class. Pure; `agents.drift` says when the
two cannot be joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, RootModel

from agents.definitions import Agent, Budget
from agents.models import AgentVersion
from agents.routes import Route
from agents.schema_compat import meaning
from agents.tools import Tool
from approvals.json_schemas import validator_of


@dataclass(eq=False)
class BoundTool(Tool):
    """An installed tool as an older version of its agent offered it."""

    recorded_schema: dict[str, Any] = field(default_factory=dict)

    def schema(self) -> dict[str, Any]:
        """The arguments as that version described them."""
        return self.recorded_schema


@dataclass(frozen=True, eq=False)
class BoundAgent(Agent):
    """An installed agent as an older version of it was declared."""

    recorded: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        """Nothing to check: it was, when it was declared."""

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The recorded definition."""
        return dict(self.recorded)

    @cached_property
    def version(self) -> str:
        """The digest of the recorded definition."""
        return self.digest

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """The answer as that version described it."""
        return dict(self.recorded["output"])


def bind(installed: Agent, version: AgentVersion) -> Agent:
    """The agent that a run of this version is advanced with; the installed one, where it is the same.

    Tools of the version that are not installed any more are left out.
    """
    if installed.version == version.digest:
        return installed
    recorded = version.definition
    tools = [
        _bound_tool(tool, described)
        for described in recorded["tools"]
        if (tool := installed.tool(described["name"])) is not None
    ]
    return BoundAgent(
        **{
            **_fields_of(installed),
            "instructions": recorded["instructions"],
            "tools": tools,
            "models": tuple(recorded["models"]),
            "verifier": recorded.get("verifier", ""),
            "route": Route.model_validate(recorded["route"]) if recorded.get("route") else None,
            "delegates": tuple(recorded.get("delegates", ())),
            "memory": bool(recorded.get("memory")),
            "budget": _budget(recorded["budget"]),
            "limits": _budget(recorded["limits"]) if "limits" in recorded else None,
            "output": _output(recorded["output"], installed.output),
            "answer_threshold": _share(recorded.get("answer_threshold_bp")),
            "recorded": recorded,
            "digest": version.digest,
        }
    )


def narrowed(agent: Agent, *, tools: Sequence[Tool], route: Route) -> Agent:
    """The agent with these of its tools and what is left of its route; its version is the same."""
    return BoundAgent(
        **{
            **_fields_of(agent),
            "tools": tools,
            "route": route,
            "recorded": agent.definition,
            "digest": agent.version,
        }
    )


def _bound_tool(tool: Tool, described: Mapping[str, Any]) -> Tool:
    if described["schema"] == tool.schema():
        return replace(tool, description=described["description"])
    return BoundTool(
        **{
            **_fields_of(tool),
            "description": described["description"],
            "recorded_schema": described["schema"],
        }
    )


def _fields_of(made: Any) -> dict[str, Any]:
    return {each.name: getattr(made, each.name) for each in fields(made) if each.init}


def _budget(recorded: Mapping[str, Any]) -> Budget:
    """Recorded caps; of others the default, which is why they are not recorded."""
    return Budget(**{name: cap for name, cap in recorded.items() if name in Budget.model_fields})


def _share(points: int | None) -> float | None:
    return None if points is None else points / 10_000


def _output(recorded: dict[str, Any], installed: type[BaseModel]) -> type[BaseModel]:
    """The installed model where it means the same, else one that checks against the recorded schema."""
    if meaning(recorded) == meaning(installed.model_json_schema()):
        return installed
    return answer_model(recorded)


def answer_model(schema: dict[str, Any]) -> type[BaseModel]:
    """A model that takes the objects which this JSON Schema takes, as they are."""
    validator = validator_of(schema)

    def check(value: dict[str, Any]) -> dict[str, Any]:
        for problem in sorted(
            validator.iter_errors(value), key=lambda error: [str(part) for part in error.path]
        ):
            place = ".".join(str(part) for part in problem.path)
            raise ValueError(f"{place}: {problem.message}" if place else problem.message)
        return value

    return RootModel[Annotated[dict[str, Any], AfterValidator(check)]]

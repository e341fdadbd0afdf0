"""`delegate`: handing a part of the work to another agent, as a tool of the agents that declare to whom. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Protocol, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, create_model

from agents.tools import EffectClass, Terminal, Tool, ToolContext, Trust
from approvals.schemas import Fact, Preview
from approvals.vocabulary import Risk

DELEGATE: Final = "delegate"
LONGEST_TASK: Final = 20_000
VERSION: Final = "1"
DESCRIPTION: Final = (
    "Hand a narrow part of the work to another agent. It starts from your task alone and knows nothing of "
    "this conversation, so say everything that it needs. You get its final answer."
)


class Delegation(Protocol):
    """What the arguments of `delegate` hold: the other agent's slug, and its task."""

    agent: str
    task: str


def _as_text(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


def arguments_of(delegates: Sequence[str]) -> type[BaseModel]:
    """The arguments of `delegate` for an agent that may delegate to these."""
    return create_model(
        "Delegation",
        __config__=ConfigDict(extra="forbid", frozen=True),
        agent=(
            # Literal takes what only this agent's declaration says.
            cast(Any, Literal).__getitem__(tuple(delegates)),
            Field(description="The agent that is to do it"),
        ),
        task=(
            Annotated[str, BeforeValidator(_as_text)],
            Field(
                min_length=1,
                max_length=LONGEST_TASK,
                description="What it is to do, complete in itself; or its input as JSON text",
            ),
        ),
    )


def delegate_tool(delegates: Sequence[str]) -> Tool:
    """The tool as the gate and the inbox know it. What it does is `services.start_child`'s."""
    return Tool(
        name=DELEGATE,
        version=VERSION,
        description=DESCRIPTION,
        function=_started_by_the_engine,
        arguments=arguments_of(delegates),
        result=TypeAdapter(Any),
        risk=Risk.LOW,
        effects=frozenset(),
        reversible=True,
        effect_class=EffectClass.TRANSACTIONAL,
        trust=Trust.UNTRUSTED,
        timeout_seconds=30.0,
        identity=frozenset(),
        sensitive=frozenset(),
        cosmetic=frozenset(),
        secrets=frozenset(),
        previewer=_preview,
    )


def _started_by_the_engine(ctx: ToolContext, arguments: BaseModel) -> Any:
    raise Terminal("Only the engine starts runs.")


def _preview(ctx: ToolContext, arguments: BaseModel) -> Preview:
    given = cast(Delegation, arguments)
    return Preview(
        title=f"Hand work to the agent {given.agent}",
        summary="It works on its own. Each of its actions passes the same gate.",
        subject=given.agent,
        facts=(Fact(label="Task", value=given.task),),
    )

"""`remember` and `recall`, the memory of an agent, and `read_result`: tools whose work is the engine's. Pure."""

from __future__ import annotations

from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.tools import EffectClass, Terminal, Tool, ToolContext, Trust
from approvals.schemas import Fact, Preview
from approvals.vocabulary import Risk

REMEMBER: Final = "remember"
RECALL: Final = "recall"
READ_RESULT: Final = "read_result"
LONGEST_KEY: Final = 200
LONGEST_TEXT: Final = 4_000
MOST_RECALLED: Final = 20
LONGEST_PAGE: Final = 8_000


class Note(BaseModel):
    """What `remember` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: str = Field(
        min_length=1,
        max_length=LONGEST_KEY,
        description="A short name for it; the same key again replaces what stood there",
    )
    text: str = Field(
        min_length=1, max_length=LONGEST_TEXT, description="What to remember, complete in itself"
    )
    scope: Literal["agent", "run"] = Field(
        default="agent",
        description="agent: for all your later runs; run: for this run and those it hands work to",
    )


class Question(BaseModel):
    """What `recall` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    query: str = Field(min_length=1, max_length=500, description="Words to look for")
    limit: int = Field(default=5, ge=1, le=MOST_RECALLED, description="How many to give at most")


class Reading(BaseModel):
    """What `read_result` takes. Offset and limit count characters."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    step: int = Field(ge=1, description="The number of the result, as in: result 12")
    offset: int = Field(default=0, ge=0, description="From which character on")
    limit: int = Field(default=4_000, ge=1, le=LONGEST_PAGE, description="How many characters")


def memory_tools() -> dict[str, Tool]:
    """The tools of an agent that has a memory, by name."""
    remember = _tool(
        REMEMBER,
        "Write something down for later runs of yours. People can read and delete it.",
        Note,
    )
    remember.previewer = _preview
    recall = _tool(RECALL, "Look for what you wrote down, in this run or an earlier one.", Question)
    return {REMEMBER: remember, RECALL: recall}


def _tool(name: str, description: str, arguments: type[BaseModel]) -> Tool:
    return Tool(
        name=name,
        version="1",
        description=description,
        function=_done_by_the_engine,
        arguments=arguments,
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
    )


def _done_by_the_engine(ctx: ToolContext, arguments: BaseModel) -> Any:
    raise Terminal("Only the engine does this.")


def _preview(ctx: ToolContext, arguments: BaseModel) -> Preview:
    note = cast(Note, arguments)
    whose = "all later runs of the agent" if note.scope == "agent" else "this run and those below"
    return Preview(
        title=f"Remember {note.key}",
        summary=f"Written down for {whose}.",
        subject=note.key,
        facts=(Fact(label="Text", value=note.text),),
    )

"""The undo of a tool, as a tool of its own: same arguments, its own name, judged like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from agents.mistakes import DefinitionError, Mistake
from agents.states import EffectState
from agents.tools import EffectClass, Terminal, Tool, ToolContext
from approvals.schemas import Fact, Preview

PREFIX: Final = "undo_"
LONGEST_NAME: Final = 64
RESULT_LENGTH: Final = 2_000
#: What stands, and can therefore be taken back.
UNDOABLE: Final = frozenset({EffectState.SUCCEEDED, EffectState.ACCEPTED, EffectState.CONFIRMED})


def undo_of(tool: Tool) -> Tool | None:
    """The tool that takes back what `tool` did; None where it declares no undo."""
    declared = tool.undo_declared
    if tool.compensation is None or declared is None:
        return None
    name = f"{PREFIX}{tool.name}"
    if len(name) > LONGEST_NAME:
        raise DefinitionError(
            Mistake(
                "agents.E009",
                f"Tool {tool.name}: its undo is called {name}, which is too long.",
                "Give the tool a shorter name.",
                tool.where,
            )
        )
    if declared.effect_class is EffectClass.QUERYABLE:
        raise DefinitionError(
            Mistake(
                "agents.E002",
                f"Tool {tool.name}: an undo has no lookup.",
                "Declare it idempotent or opaque.",
                tool.where,
            )
        )
    return replace(
        tool,
        name=name,
        description=f"Takes back what {tool.name} did.",
        function=_compensate(tool),
        result=TypeAdapter(Any),
        risk=declared.risk or tool.risk,
        reversible=tool.reversible if declared.reversible is None else declared.reversible,
        effect_class=declared.effect_class,
        timeout_seconds=declared.timeout_seconds or tool.timeout_seconds,
        callback="",
        previewer=_preview(tool),
        token_reader=None,
        looker=None,
        verifier=None,
        compensation=None,
        undo_declared=None,
        undoing=tool,
    )


def _compensate(tool: Tool) -> Any:
    def compensate(ctx: ToolContext, arguments: BaseModel) -> Any:
        assert tool.compensation is not None
        if ctx.undoes is None:
            raise Terminal("There is nothing that this would undo.")
        return tool.compensation(ctx, arguments, _typed(tool, ctx.undoes.result))

    return compensate


def _typed(tool: Tool, result: Any) -> Any:
    """The recorded result as the tool's own type, or None where nobody knows it."""
    if result is None:
        return None
    try:
        return tool.result.validate_json(json.dumps(result))
    except ValidationError as error:
        raise Terminal("The recorded result does not fit the tool any more.") from error


def _preview(tool: Tool) -> Any:
    def preview(ctx: ToolContext, arguments: BaseModel) -> Preview:
        shown = tool.show(ctx, arguments)
        facts = shown.facts
        if ctx.undoes is not None and ctx.undoes.result is not None:
            facts = (*facts, Fact(label="It gave", value=_text(ctx.undoes.result)))
        return Preview(
            title=f"Undo: {shown.title}",
            summary="This was done, and is to be taken back.",
            subject=shown.subject,
            facts=facts,
            rows=shown.rows,
        )

    return preview


def _text(result: Any) -> str:
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    return text if len(text) <= RESULT_LENGTH else f"{text[:RESULT_LENGTH]}…"

"""Turning what a model wrote into a proposed call, or into an error that the model can mend. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from agents.builtin import ABSTAIN, ASK_HUMAN, FINAL_ANSWER, JUDGEMENT, Abstention, Question
from agents.definitions import Agent
from agents.delegation import DELEGATE
from agents.llm_types import ToolCall
from agents.notebook import READ_RESULT, Reading
from agents.states import StepKind
from agents.storable import storable
from agents.strict_schemas import without_nulls
from agents.tools import Tool
from audit.canonical import MalformedJson, loads_strict

MAX_ARGUMENT_BYTES = 100_000


@dataclass(frozen=True)
class Proposal:
    """A call whose arguments are valid. `arguments` is the model; `normalised` its JSON form."""

    kind: StepKind
    name: str
    tool: Tool | None
    arguments: BaseModel
    normalised: dict[str, Any]
    confidence_bp: int | None
    rationale: str
    relies_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Malformed:
    """A call that cannot be taken, with what the model is told about it."""

    kind: StepKind
    name: str
    code: str
    message: str


def read_call(agent: Agent, call: ToolCall) -> Proposal | Malformed:
    """Parse, check and normalise one call of a reply."""
    kind = KINDS.get(call.name, StepKind.TOOL)
    tool = agent.tool(call.name)
    if tool is not None and call.name == DELEGATE:
        kind = StepKind.DELEGATE
    if tool is not None and tool.undoing is not None:
        # Only people have something undone.
        tool = None
    if tool is None and call.name not in KINDS:
        names = ", ".join([*(known.name for known in agent.tools), *agent.built_in, *KINDS])
        return Malformed(
            kind, call.name[:64], "unknown_tool", f"There is no such tool. Tools: {names}."
        )
    data = read_arguments(kind, call)
    if isinstance(data, Malformed):
        return data
    return _validate(agent, call.name, kind, tool, data)


def read_arguments(kind: StepKind, call: ToolCall) -> dict[str, Any] | Malformed:
    """The JSON object that a call's arguments are."""
    if len(call.arguments.encode("utf-8", "replace")) > MAX_ARGUMENT_BYTES:
        return Malformed(
            kind, call.name, "arguments_too_large", "The arguments are too large; shorten them."
        )
    try:
        data = loads_strict(call.arguments or "{}")
    except MalformedJson as error:
        return Malformed(
            kind,
            call.name,
            "arguments_not_json",
            f"The arguments are not plain JSON: {error.detail}",
        )
    if not isinstance(data, dict):
        return Malformed(
            kind, call.name, "arguments_not_object", "The arguments must be a JSON object."
        )
    return data


def _validate(
    agent: Agent, name: str, kind: StepKind, tool: Tool | None, data: dict[str, Any]
) -> Proposal | Malformed:
    judged = tool is not None or (kind is StepKind.FINAL and agent.answer_threshold is not None)
    relies_on = data.pop("relies_on", []) if kind is StepKind.FINAL else []
    if not (isinstance(relies_on, list) and all(isinstance(item, str) for item in relies_on)):
        return Malformed(
            kind, name, "arguments_invalid", "relies_on: give a list of tool call ids."
        )
    model = tool.arguments if tool else MODELS.get(name, agent.output)
    schema = tool.schema() if tool else model.model_json_schema()
    read = read_judged(kind, name, model, data, schema, judged=judged)
    if isinstance(read, Malformed):
        return read
    return replace(read, tool=tool, relies_on=tuple(storable(relies_on)))


def read_judged(
    kind: StepKind,
    name: str,
    model: type[BaseModel],
    data: dict[str, Any],
    schema: Mapping[str, Any],
    *,
    judged: bool = True,
) -> Proposal | Malformed:
    """The arguments as `model` takes them; `schema` is what the language model was told of them, and
    `judged`: that a confidence and a rationale stand beside them."""
    judgement = {field: data.pop(field, None) for field in JUDGEMENT} if judged else {}
    try:
        # A model that is held to a schema has to write what it leaves out as null.
        given = without_nulls(data, schema)
        arguments = model.model_validate_json(json.dumps(given))
        normalised = arguments.model_dump(mode="json")
    except ValidationError as error:
        return Malformed(kind, name, "arguments_invalid", describe_errors(error))
    if storable(normalised) != normalised:
        return Malformed(
            kind,
            name,
            "arguments_invalid",
            "The arguments hold a NUL character, a secret, or a number that is not finite or too large.",
        )
    return Proposal(
        kind=kind,
        name=name,
        tool=None,
        arguments=arguments,
        normalised=normalised,
        confidence_bp=confidence_bp(judgement.get("confidence")),
        rationale=storable(str(judgement.get("rationale") or ""))[:4_000],
    )


def said_by(problem: Mapping[str, Any]) -> str:
    """What one error of pydantic says; of a validator that an author wrote, their own words."""
    return str(problem["msg"]).removeprefix("Value error, ")


def describe_errors(error: ValidationError) -> str:
    """Which field, what was wrong, in lines that a model or a person can act on."""
    lines = []
    for problem in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in problem["loc"]) or "arguments"
        lines.append(f"{place}: {said_by(problem)}")
    return "; ".join(lines[:20])


def confidence_bp(value: Any) -> int | None:
    """Basis points of a confidence from 0 to 1; None for anything else, which counts as zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return round(value * 10_000)


KINDS = {
    ASK_HUMAN: StepKind.QUESTION,
    ABSTAIN: StepKind.ABSTAIN,
    FINAL_ANSWER: StepKind.FINAL,
    READ_RESULT: StepKind.TOOL,
}
MODELS: dict[str, type[BaseModel]] = {
    ASK_HUMAN: Question,
    ABSTAIN: Abstention,
    READ_RESULT: Reading,
}

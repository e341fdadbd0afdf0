"""Making a case ready for the engine: its answers as its agent's tools would give them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from agents.context import refusal_message, result_message
from agents.definitions import Agent
from agents.proposals import describe_errors
from agents.simulation import NOT_MADE, SIMULATED
from agents.storable import storable
from agents.tools import Tool
from evaluations.checks import Problem
from evaluations.schemas import Case, ToolAnswer, Word
from evaluations.script import Prepared, Script
from evaluations.vocabulary import QUESTION


@dataclass(frozen=True)
class Ready:
    """A script, or what is wrong with the case."""

    script: Script
    problems: Sequence[Problem]


def prepare(case: Case, agent: Agent, *, at: datetime) -> Ready:
    """The case's script; every answer is held against the result that its tool declares."""
    problems: list[Problem] = []
    tools: dict[str, list[Prepared]] = {}
    for name, answers in case.tools.items():
        tool = agent.tool(name)
        if tool is None:
            problems.append(_refused(name, f"{agent.slug} has no such tool"))
            continue
        tools[name] = [found for each in answers if (found := _answer(tool, each, at, problems))]
    people = [_word(agent, word, problems) for word in case.people]
    return Ready(Script(tools=tools, people=people), problems)


def _answer(
    tool: Tool, answer: ToolAnswer, at: datetime, problems: list[Problem]
) -> Prepared | None:
    if answer.error is not None:
        # The words and codes with which the engine settles such a call (`agents.execution`).
        code = "retryable" if answer.error.kind == "temporary" else "refused_by_tool"
        told = refusal_message("failed", code, answer.error.message, trust=tool.trust.value)
        return _prepared(answer, "failed", told, code)
    if answer.simulated:
        told = {"status": SIMULATED, "would": "run", "message": NOT_MADE}
        return _prepared(answer, "succeeded", told)
    try:
        valid = tool.result.validate_json(json.dumps(answer.result))
        result = storable(tool.result.dump_python(valid, mode="json"))
    except ValidationError as error:
        problems.append(_refused(tool.name, describe_errors(error)))
        return None
    told = result_message(result, trust=tool.trust, as_of=at.isoformat())
    return _prepared(answer, "succeeded", told)


def _prepared(
    answer: ToolAnswer, state: Any, output: dict[str, Any], problem: str = ""
) -> Prepared:
    return Prepared(
        when=answer.when, state=state, output=output, problem=problem, always=answer.always
    )


def _word(agent: Agent, word: Word, problems: list[Problem]) -> Word:
    """The decision with its arguments as the tool takes them."""
    tool = agent.tool(word.on) if word.on != QUESTION else None
    if word.on != QUESTION and tool is None:
        problems.append(
            Problem("decision_refused", _said(word.on, f"{agent.slug} has no such tool"))
        )
    if tool is None or word.arguments is None:
        return word
    try:
        taken = tool.parse(word.arguments).model_dump(mode="json")
    except ValidationError as error:
        problems.append(Problem("decision_refused", _said(word.on, describe_errors(error))))
        return word
    return word.model_copy(update={"arguments": taken})


def _refused(tool: str, why: str) -> Problem:
    return Problem("answer_refused", {"call": tool, "why": why})


def _said(what: str, why: str) -> dict[str, str]:
    return {"what": what, "why": why}

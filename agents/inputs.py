"""What a person types for an agent, as the input that the agent takes; and an input as text. Pure."""

from __future__ import annotations

import json
from typing import Any

from agents.definitions import Agent
from agents.errors import InvalidInput
from audit.canonical import MalformedJson, loads_strict


def text_field(agent: Agent) -> str | None:
    """The name of the agent's only field, where that is a text; None when it takes anything else."""
    schema = agent.input.model_json_schema()
    fields: dict[str, Any] = schema.get("properties", {})
    if len(fields) != 1:
        return None
    name, described = next(iter(fields.items()))
    return str(name) if described.get("type") == "string" else None


def read_input(agent: Agent, text: str) -> Any:
    """The input that the text stands for: the text itself for an agent that takes one, else JSON.

    Raises InvalidInput, with the fields that the agent takes, for text that is no JSON.
    """
    name = text_field(agent)
    if name is not None:
        return {name: text}
    try:
        return loads_strict(text)
    except MalformedJson as error:
        fields = ", ".join(agent.input.model_fields)
        raise InvalidInput(f"write it as JSON with the fields {fields}. {error.detail}") from error


def write_input(value: Any) -> str:
    """An input as a person would type it: a lone text plainly, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        only = next(iter(value.values()))
        if isinstance(only, str):
            return only
    return json.dumps(value, ensure_ascii=False, indent=2)

"""Tools that every agent is offered, and the schemas through which a model sees tools at all. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.definitions import Agent
from agents.notebook import READ_RESULT, Reading
from agents.strict_schemas import closed

ASK_HUMAN = "ask_human"
ABSTAIN = "abstain"
FINAL_ANSWER = "final_answer"
ANSWER = "answer"
"""What a model calls at a decision point of a workflow, and nowhere else."""

JUDGEMENT: dict[str, Any] = {
    "confidence": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": (
            "How sure you are that this call is right, from 0 to 1. Be honest; below a threshold a "
            "person looks."
        ),
    },
    "rationale": {
        "type": "string",
        "description": "One or two sentences: why this call, and what speaks against it.",
    },
}
"""Fields that every offered tool carries besides its own; they are taken off before the tool runs."""


class Question(BaseModel):
    """What `ask_human` takes: a question with the type of its answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    question: str = Field(
        min_length=1, max_length=2_000, description="The question, complete in itself"
    )
    answer_type: Literal["text", "number", "yes_no", "choice"] = "text"
    choices: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=20, description="For answer_type choice"
    )

    @model_validator(mode="after")
    def can_be_answered(self) -> Self:
        if self.answer_type == "choice" and len(set(self.choices)) < max(2, len(self.choices)):
            raise ValueError("choices: a question of the type choice names two or more, each once")
        return self


class Abstention(BaseModel):
    """What `abstain` takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: str = Field(
        min_length=1, max_length=2_000, description="Why you cannot do or know this"
    )


_offers: WeakKeyDictionary[Agent, list[dict[str, Any]]] = WeakKeyDictionary()


def offered_tools(agent: Agent) -> list[dict[str, Any]]:
    """The `tools` list of a chat-completions request; made once for each agent, not to be changed."""
    offer = _offers.get(agent)
    if offer is None:
        offer = _offers[agent] = _made_offer(agent)
    return offer


def _made_offer(agent: Agent) -> list[dict[str, Any]]:
    """The `tools` list of a chat-completions request: the agent's own and the built-in ones."""
    own = [_offer(tool.name, tool.description, tool.schema(), judged=True) for tool in agent.tools]
    return [
        *own,
        *(
            _offer(each.name, each.description, each.schema(), judged=True)
            for each in agent.built_in.values()
        ),
        _offer(
            ASK_HUMAN,
            "Ask a person when something is missing that no tool can tell you. The run waits for the answer.",
            Question.model_json_schema(),
            judged=False,
        ),
        _offer(
            READ_RESULT,
            "Read an earlier result of yours again, or the rest of one that was cut, by its number.",
            Reading.model_json_schema(),
            judged=False,
        ),
        _offer(
            ABSTAIN,
            "End the run by saying that you do not know or cannot do this.",
            Abstention.model_json_schema(),
            judged=False,
        ),
        _offer(
            FINAL_ANSWER,
            "Give the final answer and end the run. List the ids of the tool calls that it relies on.",
            final_schema(agent.output_schema),
            judged=agent.answer_threshold is not None,
        ),
    ]


def offered_answer(state: str, answer: type[BaseModel]) -> dict[str, Any]:
    """The one tool that a model is offered at a decision point of a workflow."""
    about = f"Answer the question of the state {state}."
    return _offer(ANSWER, about, answer.model_json_schema(), judged=True)


def final_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of the answer with `relies_on`, the ids of the calls that the answer relies on."""
    properties = dict(schema.get("properties", {}))
    properties["relies_on"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Ids of the tool calls whose results this answer relies on.",
    }
    return {
        **schema,
        "properties": properties,
        "required": [*schema.get("required", []), "relies_on"],
    }


def _offer(name: str, description: str, schema: dict[str, Any], *, judged: bool) -> dict[str, Any]:
    parameters: dict[str, Any] = closed(schema)
    parameters.pop("title", None)
    parameters.setdefault("type", "object")
    parameters["additionalProperties"] = False
    if judged:
        parameters["properties"] = {**parameters.get("properties", {}), **JUDGEMENT}
        parameters["required"] = [*parameters.get("required", []), *JUDGEMENT]
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }

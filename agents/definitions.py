"""What an agent is: instructions, tools, models, budget, category and owner, declared once in code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.asserts import Asserts, mistakes_of_answer
from agents.definition_rules import mistakes_of_agent
from agents.delegation import DELEGATE, delegate_tool
from agents.mistakes import Mistake, refuse
from agents.notebook import READ_RESULT, RECALL, REMEMBER, memory_tools
from agents.routes import Route
from agents.tools import Tool, Trust
from agents.undoing import undo_of
from agents.workflow import Workflow
from audit.canonical import canonical_bytes, sha256_hex

DEFINITION_SCHEMA = 2
"""The newest way in which definitions are recorded; raised when what older releases make of one would be
wrong. Only workflows are recorded under 2."""
PLAIN_DEFINITION_SCHEMA = 1
CONTEXT_TOKENS = 100_000
BUILT_IN = frozenset(
    {"ask_human", "abstain", "final_answer", DELEGATE, REMEMBER, RECALL, READ_RESULT}
)


class Category(StrEnum):
    """How an agent is operated."""

    WORKFLOW = "workflow"
    BOUNDED = "bounded"
    OPEN = "open"


class Budget(BaseModel):
    """Caps of one run. Reaching one parks the run for a person, who can extend it.

    `cost_micros`: what its model calls cost, in millionths of the currency unit; None is no cap.
    `active_seconds`: time at work, without waiting. `errors`: turns in a row in which nothing but errors
    of tools or unusable replies came.
    `depth`: how many levels of runs may stand below it; `children`: how many it may start itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    steps: int = Field(default=40, ge=1, le=10_000)
    model_calls: int = Field(default=20, ge=1, le=5_000)
    tool_calls: int = Field(default=30, ge=1, le=5_000)
    tokens: int = Field(default=200_000, ge=1)
    cost_micros: int | None = Field(default=None, ge=0, le=10**15)
    active_seconds: int = Field(default=3_600, ge=1, le=10_000_000)
    errors: int = Field(default=8, ge=1, le=1_000)
    depth: int = Field(default=2, ge=0, le=5)
    children: int = Field(default=8, ge=0, le=100)

    def recorded(self) -> dict[str, Any]:
        """As a version records it: the first four caps, and of the others those that were set.

        So a cap that comes with a release changes the version of no agent that leaves it alone.
        """
        first = {"steps", "model_calls", "tool_calls", "tokens"}
        others = self.model_dump(mode="json", exclude=first, exclude_defaults=True)
        return {**self.model_dump(mode="json", include=first), **others}


class TextInput(BaseModel):
    """Input of an agent that takes a text; a plain string is accepted for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str = Field(min_length=1, max_length=20_000)

    @model_validator(mode="before")
    @classmethod
    def accept_plain_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value


class Answer(BaseModel):
    """Final answer of an agent that declares none of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    summary: str = Field(min_length=1, max_length=10_000)


@dataclass(frozen=True)
class Example:
    """An input that a newcomer can start a run with."""

    title: str
    input: Any


@dataclass(frozen=True, eq=False)
class Agent:
    """A hosted agent. `owner` is the slug of the review group that answers for it; `verifier` the model
    that looks for objections to its calls where a policy asks for that, else its own. `route` is a chain of
    models in place of `models`, and what picks where on it a run begins. `limits` are the
    highest caps that admins may set for it, else those of its budget. `delegates` are the slugs of the agents
    that it may hand work to. `input_trust`: untrusted where its input may hold text that somebody outside
    wrote, such as a ticket, which taints its runs from the start.

    `asserts` says which answers claim that a call was done. With `answer_threshold` (0 to 1) the model says
    how sure it is of its answer, and one below it goes to a person. `context_tokens` is what its models take
    in one request: messages, tools and reply.

    `memory`: whether its runs may write things down for later ones.
    `flow` is the machine that an agent of the category workflow follows, and no other has.
    """

    slug: str
    title: str
    category: Category
    owner: str
    instructions: str
    tools: Sequence[Tool]
    models: Sequence[str] = ()
    verifier: str = ""
    route: Route | None = None
    budget: Budget = field(default_factory=Budget)
    limits: Budget | None = None
    input: type[BaseModel] = TextInput
    output: type[BaseModel] = Answer
    asserts: Sequence[Asserts] = ()
    answer_threshold: float | None = None
    context_tokens: int = CONTEXT_TOKENS
    examples: Sequence[Example] = ()
    delegates: Sequence[str] = ()
    input_trust: Trust = Trust.TRUSTED
    memory: bool = False
    flow: Workflow | None = None

    def __post_init__(self) -> None:
        answer = (self.tools, self.output, self.asserts, self.answer_threshold)
        refuse(
            [
                *mistakes_of_agent(self, BUILT_IN),
                *mistakes_of_answer(self.slug, *answer),
                *self._mistakes_of_route(),
            ]
        )

    def _mistakes_of_route(self) -> Iterator[Mistake]:
        if self.route is None:
            return
        if self.models:
            yield Mistake(
                "agents.E033",
                f"Agent {self.slug} names models beside its route.",
                "Name them in the route alone.",
            )
        for what, hint in self.route.problems([tool.name for tool in self.tools]):
            yield Mistake("agents.E033", f"Agent {self.slug}: {what}", hint)

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, the undo of one, or a built-in one that passes the gate; None for one that
        was invented."""
        found = next((tool for tool in self.tools if tool.name == name), None)
        return found or self.undos.get(name) or self.built_in.get(name)

    @cached_property
    def built_in(self) -> dict[str, Tool]:
        """The built-in tools that are offered to it and pass the gate like its own, by name."""
        handing = {DELEGATE: delegate_tool(self.delegates)} if self.delegates else {}
        return handing | (memory_tools() if self.memory else {})

    @cached_property
    def undos(self) -> dict[str, Tool]:
        """The undos of its tools, by name. No model is offered them."""
        made = [undo_of(tool) for tool in self.tools]
        return {undo.name: undo for undo in made if undo is not None}

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the final answer."""
        return self.output.model_json_schema()

    @cached_property
    def definition(self) -> dict[str, Any]:
        """Everything that makes two versions differ; canonical JSON types only."""
        return {
            "schema": DEFINITION_SCHEMA if self.flow else PLAIN_DEFINITION_SCHEMA,
            "slug": self.slug,
            "title": self.title,
            "category": self.category.value,
            "owner": self.owner,
            "instructions": self.instructions,
            "tools": [tool.describe() for tool in self.tools],
            "models": list(self.models),
            "budget": self.budget.recorded(),
            "input": self.input.model_json_schema(),
            "output": self.output_schema,
            **({"verifier": self.verifier} if self.verifier else {}),
            **({"route": self.route.model_dump(mode="json")} if self.route else {}),
            **({"limits": self.limits.recorded()} if self.limits else {}),
            **({"asserts": [each.describe() for each in self.asserts]} if self.asserts else {}),
            **(
                {"context_tokens": self.context_tokens}
                if self.context_tokens != CONTEXT_TOKENS
                else {}
            ),
            **(
                {"answer_threshold_bp": round(self.answer_threshold * 10_000)}
                if self.answer_threshold is not None
                else {}
            ),
            **({"delegates": list(self.delegates)} if self.delegates else {}),
            **({"memory": True} if self.memory else {}),
            **({"input_trust": "untrusted"} if self.input_trust is Trust.UNTRUSTED else {}),
            **({"flow": self.flow.describe()} if self.flow else {}),
        }

    @cached_property
    def version(self) -> str:
        """`sha256:` + hex digest of the definition."""
        return sha256_hex(canonical_bytes(self.definition))

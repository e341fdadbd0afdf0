"""What an agent is: instructions, tools, models, budget, category and owner, declared once in code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.delegation import DELEGATE, delegate_tool
from agents.tools import DefinitionError, Tool, Trust
from agents.undoing import undo_of
from approvals.vocabulary import Risk
from audit.canonical import canonical_bytes, sha256_hex

SLUG = re.compile(r"^[a-z][a-z0-9-]{1,62}$")
TOOL_NAME = re.compile(r"^[a-z][a-z0-9_]{1,62}$")
DEFINITION_SCHEMA = 1
"""How definitions are recorded; raised when what older releases make of one would be wrong."""
BUILT_IN = frozenset(
    {"ask_human", "abstain", "final_answer", DELEGATE, "remember", "recall", "read_result"}
)
ALWAYS_RECORDED = frozenset({"steps", "model_calls", "tool_calls", "tokens"})
"""Caps that every definition names; of the others, those that an agent sets."""


class Category(StrEnum):
    """How an agent is operated."""

    WORKFLOW = "workflow"
    BOUNDED = "bounded"
    OPEN = "open"


class Budget(BaseModel):
    """Caps of one run. Reaching one parks the run for a person, who can extend it.

    `depth`: how many levels of runs may stand below it; `children`: how many it may start itself.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    steps: int = Field(default=40, ge=1, le=10_000)
    model_calls: int = Field(default=20, ge=1, le=5_000)
    tool_calls: int = Field(default=30, ge=1, le=5_000)
    tokens: int = Field(default=200_000, ge=1)
    depth: int = Field(default=2, ge=0, le=5)
    children: int = Field(default=8, ge=0, le=100)

    def describe(self) -> dict[str, Any]:
        """What a definition records of it: a cap that an agent does not set makes no other version."""
        return {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if name in ALWAYS_RECORDED or value != type(self).model_fields[name].default
        }


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
    that looks for objections to its calls where a policy asks for that, else its own. `delegates` are the
    slugs of the agents that it may hand work to. `input_trust`: untrusted where its input may hold text that
    somebody outside wrote, such as a ticket, which taints its runs from the start."""

    slug: str
    title: str
    category: Category
    owner: str
    instructions: str
    tools: Sequence[Tool]
    models: Sequence[str] = ()
    verifier: str = ""
    budget: Budget = field(default_factory=Budget)
    input: type[BaseModel] = TextInput
    output: type[BaseModel] = Answer
    examples: Sequence[Example] = ()
    delegates: Sequence[str] = ()
    input_trust: Trust = Trust.TRUSTED

    def __post_init__(self) -> None:
        if not SLUG.match(self.slug):
            raise DefinitionError(
                f"Agent {self.slug!r}: use lower-case letters, digits and hyphens."
            )
        if not self.title.isprintable():
            raise DefinitionError(
                f"Agent {self.slug}: its title holds a character that cannot be seen."
            )
        names = [tool.name for tool in self.tools]
        for name in names:
            if name in BUILT_IN:
                raise DefinitionError(
                    f"Agent {self.slug}: {name} is a built-in tool; rename yours."
                )
            if not TOOL_NAME.match(name):
                raise DefinitionError(
                    f"Agent {self.slug}: tool name {name!r} must be lower_snake_case."
                )
            if names.count(name) > 1:
                raise DefinitionError(
                    f"Agent {self.slug}: two tools are called {name}; rename one."
                )
        for tool in self.tools:
            if tool.risk.rank >= Risk.HIGH.rank and tool.previewer is None:
                raise DefinitionError(f"Tool {tool.name}: a {tool.risk} risk tool needs a preview.")
            if tool.effect_class == "queryable" and tool.looker is None:
                raise DefinitionError(f"Tool {tool.name}: a queryable tool needs a lookup.")
            if tool.verifier is not None and not tool.consequential:
                raise DefinitionError(f"Tool {tool.name}: a read has nothing to read back.")
        for name in self.undos.keys() & set(names):
            raise DefinitionError(
                f"Agent {self.slug}: {name} is the undo of another tool; rename yours."
            )
        self._check_delegates()
        self._check_models()

    def _check_delegates(self) -> None:
        for slug in self.delegates:
            if not SLUG.match(slug) or list(self.delegates).count(slug) > 1:
                raise DefinitionError(
                    f"Agent {self.slug}: delegates name each agent once, by its slug; not {slug!r}."
                )

    def _check_models(self) -> None:
        for model, what in ((self.input, "input"), (self.output, "output")):
            if model.model_config.get("extra") != "forbid":
                raise DefinitionError(
                    f'Agent {self.slug}: give the {what} model ConfigDict(extra="forbid").'
                )

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, the undo of one, or a built-in one that passes the gate; None for one that
        was invented."""
        found = next((tool for tool in self.tools if tool.name == name), None)
        return found or self.undos.get(name) or self.built_in.get(name)

    @cached_property
    def built_in(self) -> dict[str, Tool]:
        """The built-in tools that are offered to it and pass the gate like its own, by name."""
        return {DELEGATE: delegate_tool(self.delegates)} if self.delegates else {}

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
            "schema": DEFINITION_SCHEMA,
            "slug": self.slug,
            "title": self.title,
            "category": self.category.value,
            "owner": self.owner,
            "instructions": self.instructions,
            "tools": [tool.describe() for tool in self.tools],
            "models": list(self.models),
            "budget": self.budget.describe(),
            "input": self.input.model_json_schema(),
            "output": self.output_schema,
            **({"verifier": self.verifier} if self.verifier else {}),
            **({"delegates": list(self.delegates)} if self.delegates else {}),
            **({"input_trust": "untrusted"} if self.input_trust is Trust.UNTRUSTED else {}),
        }

    @cached_property
    def version(self) -> str:
        """`sha256:` + hex digest of the definition."""
        return sha256_hex(canonical_bytes(self.definition))

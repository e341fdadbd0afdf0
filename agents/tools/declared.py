"""A declared tool, and what hangs on it: preview, state token, locks, lookup, read-back, undo."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

from pydantic import BaseModel, TypeAdapter

from agents.mistakes import DefinitionError, Mistake
from agents.rates import Rate
from agents.tools.served import Served
from agents.tools.terms import EffectClass, ToolContext, Trust
from approvals.schemas import Fact, Preview
from approvals.vocabulary import Effect, Risk, is_consequential

KEY_LENGTH = 128


@dataclass(frozen=True)
class UndoDeclared:
    """How the undo of a tool differs from the tool; None is as the tool has it."""

    effect_class: EffectClass
    risk: Risk | None
    reversible: bool | None
    timeout_seconds: float | None

    def describe(self) -> dict[str, Any]:
        """What an agent version records of it."""
        return {
            "effect_class": self.effect_class.value,
            "risk": self.risk.value if self.risk else None,
            "reversible": self.reversible,
        }


Function = Callable[..., Any]


@dataclass(eq=False)
class Tool:
    """A declared tool. Made by the `tool` decorator; the other decorators hang on it."""

    name: str
    version: str
    description: str
    function: Function
    arguments: type[BaseModel]
    result: TypeAdapter[Any]
    risk: Risk
    effects: frozenset[Effect]
    reversible: bool
    effect_class: EffectClass
    trust: Trust
    timeout_seconds: float
    identity: frozenset[str]
    sensitive: frozenset[str]
    cosmetic: frozenset[str]
    secrets: frozenset[str]
    callback: str = ""
    rate: Rate | None = None
    repeatable: int = 0
    previewer: Function | None = None
    token_reader: Function | None = None
    lock_namer: Function | None = None
    looker: Function | None = None
    verifier: Function | None = None
    compensation: Function | None = None
    undo_declared: UndoDeclared | None = None
    undoing: Tool | None = None
    served: Served | None = None
    key: str = field(init=False)
    """The tool among all that are installed: agents that share it share what is known of it."""

    def __post_init__(self) -> None:
        self.key = f"{self.function.__module__}.{self.name}"[-KEY_LENGTH:]

    def preview(self, function: Function) -> Function:
        """Register `(ctx, arguments) -> Preview | str`: what will happen. It may not change anything."""
        self.previewer = self._once("preview", self.previewer, function)
        return function

    def state_token(self, function: Function) -> Function:
        """Register `(ctx, arguments) -> str`: a value that changes with the world the reviewer saw."""
        self.token_reader = self._once("state_token", self.token_reader, function)
        return function

    def locks(self, function: Function) -> Function:
        """Register `(arguments) -> Iterable[str]`: resources that only one run may touch at a time."""
        self.lock_namer = self._once("locks", self.lock_namer, function)
        return function

    def lookup(self, function: Function) -> Function:
        """Register `(ctx, arguments) -> result | None`: did the call with this key happen?"""
        self.looker = self._once("lookup", self.looker, function)
        return function

    def verify(self, function: Function) -> Function:
        """Register `(ctx, arguments, result) -> bool`: reads the effect back afterwards."""
        self.verifier = self._once("verify", self.verifier, function)
        return function

    @overload
    def undo(self, function: Function) -> Function: ...

    @overload
    def undo(
        self,
        *,
        effect_class: EffectClass = EffectClass.IDEMPOTENT,
        risk: Risk | None = None,
        reversible: bool | None = None,
        timeout_seconds: float | None = None,
    ) -> Callable[[Function], Function]: ...

    def undo(
        self,
        function: Function | None = None,
        *,
        effect_class: EffectClass = EffectClass.IDEMPOTENT,
        risk: Risk | None = None,
        reversible: bool | None = None,
        timeout_seconds: float | None = None,
    ) -> Any:
        """Register `(ctx, arguments, result) -> result | None`: takes this effect back.

        It is an action of its own, `undo_` and this tool's name: judged by the gate like any other,
        never offered to a model. `result` is None where nobody knows it; `ctx.undoes` holds the key of
        the effect. Risk and reversibility are this tool's unless given.
        """
        declared = UndoDeclared(effect_class, risk, reversible, timeout_seconds)

        def register(given: Function) -> Function:
            self.compensation = self._once("undo", self.compensation, given)
            self.undo_declared = declared
            return given

        return register if function is None else register(function)

    def _once(self, what: str, present: Function | None, function: Function) -> Function:
        if present is not None:
            raise DefinitionError(
                Mistake(
                    "agents.E010",
                    f"Tool {self.name}: {what} is declared twice.",
                    "Keep one.",
                    self.where,
                )
            )
        return function

    @property
    def where(self) -> str:
        """File and line of its function."""
        return place_of(self.function)

    @property
    def consequential(self) -> bool:
        """Medium risk and above, or any effect."""
        return is_consequential(self.risk, self.effects)

    def parse(self, arguments: Mapping[str, Any]) -> BaseModel:
        """The arguments model of normalised JSON arguments. Raises pydantic.ValidationError."""
        return self.arguments.model_validate_json(json.dumps(arguments))

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, as people edit them; not to be changed."""
        return self._schema

    @cached_property
    def _schema(self) -> dict[str, Any]:
        return self.arguments.model_json_schema()

    def describe(self) -> dict[str, Any]:
        """What an agent version records of the tool; canonical JSON types only."""
        return {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "risk": self.risk.value,
            "effects": sorted(effect.value for effect in self.effects),
            "reversible": self.reversible,
            "effect_class": self.effect_class.value,
            "trust": self.trust.value,
            "schema": self.schema(),
            "sensitive": sorted(self.sensitive),
            "cosmetic": sorted(self.cosmetic),
            "identity": sorted(self.identity),
            **({"secrets": sorted(self.secrets)} if self.secrets else {}),
            **({"callback": self.callback} if self.callback else {}),
            **({"repeatable": self.repeatable} if self.repeatable else {}),
            **({"undo": self.undo_declared.describe()} if self.undo_declared else {}),
            **({"mcp": self.served.describe()} if self.served else {}),
        }

    def show(self, ctx: ToolContext, arguments: BaseModel) -> Preview:
        """The preview of a call; a tool without one is shown by name and arguments."""
        if self.previewer is None:
            return plain_preview(self, arguments.model_dump(mode="json"))
        shown = self.previewer(ctx, arguments)
        return shown if isinstance(shown, Preview) else Preview(title=str(shown))


def plain_preview(tool: Tool, arguments: Mapping[str, Any]) -> Preview:
    """A call by its name and arguments, for tools without a preview of their own."""
    return Preview(
        title=tool.name.replace("_", " ").capitalize(),
        summary=tool.description,
        facts=tuple(Fact(label=name, value=str(value)) for name, value in arguments.items()),
    )


def place_of(function: Function) -> str:
    """File and line of a function, where they are known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""

"""Tools: typed functions that an agent may propose to call.

A tool never decides whether it may run. It declares what it does (risk, effects, effect class) and offers
what people and the engine need to judge it: a preview, a state token, locks, a lookup, a read-back.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from types import UnionType
from typing import (
    Any,
    Generic,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)
from uuid import UUID

from pydantic import BaseModel, TypeAdapter

from agents.definition_rules import mistakes_of_tool
from agents.mistakes import DefinitionError, Mistake, refuse
from agents.rates import Rate
from approvals.schemas import Fact, Preview
from approvals.vocabulary import Effect, Risk, is_consequential

Result = TypeVar("Result")
KEY_LENGTH = 128


class EffectClass(StrEnum):
    """What is known about a call whose reply was lost."""

    TRANSACTIONAL = "transactional"
    """The effect commits in our own database together with its step."""
    IDEMPOTENT = "idempotent"
    """The provider accepts our key; the same call may be sent again with it."""
    QUERYABLE = "queryable"
    """The provider can be asked whether the call with our key happened."""
    OPAQUE = "opaque"
    """Neither: an unknown outcome goes to a person."""


class Trust(StrEnum):
    """Whether a result may contain text that somebody outside wrote."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class _Told(Exception):
    """An error whose text is for the model to read. `trust`: whether it may repeat what somebody outside
    wrote; None is as the tool's results."""

    def __init__(self, *said: object, trust: Trust | None = None) -> None:
        super().__init__(*said)
        self.trust = trust


class Retryable(_Told):
    """The call failed before it did anything and may be tried again."""


class Terminal(_Told):
    """The call failed and trying again would not help; the text is for the model to read."""


@dataclass(frozen=True)
class Accepted(Generic[Result]):
    """The result of an effect that its provider only accepts now and confirms later.

    `reference` is the provider's own name for it, 1 to 200 characters, by which its callback tells
    what became of it. Annotate the tool with `-> Accepted[YourResult]`.
    """

    result: Result
    reference: str


@dataclass(frozen=True)
class ToolContext:
    """What a tool is told about the call it serves.

    `idempotency_key` and `now` are the same for one effect, however often the call is sent. `secrets` holds
    only the values that the tool declared by name. `state_token` is the one that people approved the call by;
    empty where nobody was asked.
    """

    run_id: UUID
    agent: str
    initiator: str
    idempotency_key: str
    now: datetime
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    undoes: Undone | None = None
    state_token: str = ""


@dataclass(frozen=True)
class Undone:
    """The effect that a call takes back: its result as JSON, where known, and its idempotency key."""

    result: Any
    idempotency_key: str


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


def tool(
    *,
    risk: Risk,
    effects: Iterable[Effect] = (),
    reversible: bool | None = None,
    effect_class: EffectClass = EffectClass.OPAQUE,
    name: str | None = None,
    version: str = "1",
    trust: Trust = Trust.UNTRUSTED,
    timeout_seconds: float = 30.0,
    identity: Iterable[str] = (),
    sensitive: Iterable[str] = (),
    cosmetic: Iterable[str] = (),
    secrets: Iterable[str] = (),
    callback: str = "",
    rate: Rate | None = None,
    repeatable: int = 0,
) -> Callable[[Function], Tool]:
    """Declare a function `(ctx: ToolContext, arguments: SomeModel) -> Result` as a tool.

    The docstring is what the model reads. `reversible`: what it does can be undone afterwards; only a read is
    taken to be so where nobody says it. `identity` names the arguments that say what is acted on;
    `sensitive` those that only people with the permission see; `cosmetic` those whose change is no
    material edit; `secrets` the names of those that it is handed as `ctx.secrets[name]`, from the environment's
    `COUNTERSIGN_SECRET_<NAME>`; `callback` the provider whose signed callbacks confirm what it has accepted; `rate` how
    often all workers together may call it; `repeatable`, of a read, how often a run may make the very same
    call before that counts as a loop. Raises DefinitionError with what to change.
    """

    def declare(function: Function) -> Tool:
        label = name or function.__name__
        arguments, result = _signature(function, label)
        touched = frozenset(effects)
        declared = Tool(
            name=label,
            version=version,
            description=inspect.cleandoc(function.__doc__ or ""),
            function=function,
            arguments=arguments,
            result=TypeAdapter(result),
            risk=risk,
            effects=touched,
            reversible=not is_consequential(risk, touched) if reversible is None else reversible,
            effect_class=effect_class,
            trust=trust,
            timeout_seconds=timeout_seconds,
            identity=frozenset(identity),
            sensitive=frozenset(sensitive),
            cosmetic=frozenset(cosmetic),
            secrets=frozenset(secrets),
            callback=callback,
            rate=rate,
            repeatable=repeatable,
        )
        refuse(replace(each, where=declared.where) for each in mistakes_of_tool(declared))
        if declared.effect_class is EffectClass.OPAQUE and not declared.consequential:
            # A read can be sent again without harm; saying so keeps it out of the in-doubt inbox.
            declared.effect_class = EffectClass.IDEMPOTENT
        return declared

    return declare


def _signature(function: Function, label: str) -> tuple[type[BaseModel], Any]:
    hints = get_type_hints(function)
    parameters = list(inspect.signature(function).parameters)

    def refused(what: str, hint: str) -> DefinitionError:
        return DefinitionError(
            Mistake("agents.E013", f"Tool {label}: {what}", hint, place_of(function))
        )

    if len(parameters) != 2:
        raise refused(
            f"its function takes {len(parameters)} arguments.",
            "Have it take exactly (ctx: ToolContext, arguments: YourModel).",
        )
    arguments = hints.get(parameters[1])
    if not (inspect.isclass(arguments) and issubclass(arguments, BaseModel)):
        raise refused(
            f"nobody knows what {parameters[1]} is.",
            "Annotate the second parameter with a pydantic model.",
        )
    if arguments.model_config.get("extra") != "forbid":
        raise refused(
            f"{arguments.__name__} takes fields that it does not name.",
            f'Give {arguments.__name__} the line model_config = ConfigDict(extra="forbid").',
        )
    if "return" not in hints:
        raise refused(
            "nobody knows what it returns.",
            "Annotate the result; what comes back is validated against that type.",
        )
    if not function.__doc__:
        raise refused("it has no docstring.", "Write one; it is what the model reads.")
    return arguments, _without_accepted(hints["return"])


def place_of(function: Function) -> str:
    """File and line of a function, where they are known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def _without_accepted(hint: Any) -> Any:
    """`Accepted[X]` as `X`, in a union too: what it returns is validated, accepted or done."""
    if get_origin(hint) is Accepted:
        return get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(_without_accepted(member) for member in get_args(hint))]  # noqa: UP007
    return hint

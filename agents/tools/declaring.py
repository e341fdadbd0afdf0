"""Making a tool of a typed function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter

from agents.definition_rules import mistakes_of_tool
from agents.mistakes import DefinitionError, Mistake, refuse
from agents.rates import Rate
from agents.tools.declared import Function, Tool, place_of
from agents.tools.terms import Accepted, EffectClass, Trust
from approvals.vocabulary import Effect, Risk, is_consequential


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


def _without_accepted(hint: Any) -> Any:
    """`Accepted[X]` as `X`, in a union too: what it returns is validated, accepted or done."""
    if get_origin(hint) is Accepted:
        return get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(_without_accepted(member) for member in get_args(hint))]  # noqa: UP007
    return hint

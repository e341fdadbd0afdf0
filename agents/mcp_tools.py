"""Tools of MCP servers, declared one by one: `mcp_tool("warehouse", "move_stock", risk=Risk.HIGH, …)`.

What a call may do is what our own author declares. The server's description and schema are read from the pins
beside the author's code (`agents.mcp_pins`), and its hints may make the call riskier and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from django.conf import settings
from pydantic import AfterValidator, BaseModel, RootModel, TypeAdapter

from agents.mcp_client import AnswerLost, NotPinned, NotReached, NotTaken, Reply, call
from agents.mcp_pins import FILE, Pin, problem_of, read_pins
from agents.mistakes import DefinitionError, Mistake
from agents.rates import Rate
from agents.tools import EffectClass, Retryable, Terminal, Tool, ToolContext, Trust
from agents.tools.served import Served
from approvals.json_schemas import validator_of
from approvals.schemas import Fact, Preview
from approvals.vocabulary import Effect, Risk, is_consequential

MOST_RESULT_BYTES: Final = 100_000
LONGEST_ERROR: Final = 2_000
LONGEST_FACT: Final = 300
MOST_FACTS: Final = 30
LEAST_SHARE: Final = 0.8
"""Of the tool's time, what its server has: the rest is for taking leave of it."""
FREE: Final[dict[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True)
class Declared:
    """A tool that some module wants; `pins` is the file beside that module."""

    server: str
    tool: str
    pins: Path


_declared: dict[Declared, None] = {}


def declared_tools() -> list[Declared]:
    """Every tool of a server that was declared in this process, pinned or not."""
    return list(_declared)


def mcp_tool(
    server: str,
    tool: str,
    *,
    name: str | None = None,
    risk: Risk = Risk.HIGH,
    effects: Iterable[Effect] = (),
    reversible: bool = False,
    effect_class: EffectClass = EffectClass.OPAQUE,
    version: str = "1",
    timeout_seconds: float = 30.0,
    identity: Iterable[str] = (),
    sensitive: Iterable[str] = (),
    cosmetic: Iterable[str] = (),
    rate: Rate | None = None,
    pins: Path | None = None,
) -> Tool:
    """Declare that an agent may use this tool of that server, which the settings name.

    Without more it is of high risk, opaque, and cannot be taken back. With low risk and no effects it is a
    read. `effect_class` may also be idempotent: the same call again changes nothing more. `name` is what the
    model calls it, else the tool's own. `pins`: the file of pins, else `mcp_pins.json` beside the caller.
    Raises DefinitionError; what is wrong with the pins is said by the agent that lists the tool.
    """
    frame = sys._getframe(1)
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    label = name or tool
    if effect_class not in (EffectClass.OPAQUE, EffectClass.IDEMPOTENT):
        raise DefinitionError(
            Mistake(
                "agents.E107",
                f"Tool {label}: no tool of an MCP server is {effect_class}.",
                "Declare it opaque; or idempotent, where the same call again changes nothing more.",
                where,
            )
        )
    path = pins or Path(frame.f_code.co_filename).parent / FILE
    _declared[Declared(server, tool, path)] = None
    pin, problem = _pinned(server, tool, path)
    judged = _Judged.of(risk, frozenset(effects), reversible, effect_class, pin)
    schema = _closed(pin.input_schema) if pin else FREE
    fields = set(schema.get("properties", {}))
    for group, names in (("identity", identity), ("sensitive", sensitive), ("cosmetic", cosmetic)):
        if pin and (unknown := set(names) - fields):
            problem = f"{group} names {', '.join(sorted(unknown))}, not in its arguments"
    return Tool(
        name=label,
        version=f"{version}+{pin.shape}" if pin else version,
        description=_described(server, pin),
        function=_caller(server, tool, pin, timeout_seconds * LEAST_SHARE, judged.consequential),
        arguments=_arguments(label, schema),
        result=TypeAdapter(Annotated[Any, AfterValidator(_fits(pin))]),
        risk=judged.risk,
        effects=judged.effects,
        reversible=judged.reversible,
        effect_class=judged.effect_class,
        trust=Trust.UNTRUSTED,
        timeout_seconds=timeout_seconds,
        identity=frozenset(identity),
        sensitive=frozenset(sensitive),
        cosmetic=frozenset(cosmetic),
        secrets=frozenset(),
        rate=rate,
        previewer=_previewer(server, tool),
        served=Served(server, tool, pin.digest if pin else "", problem, where),
    )


def _pinned(server: str, tool: str, path: Path) -> tuple[Pin | None, str]:
    """The pin that may be used, or None and why there is none."""
    try:
        pin = read_pins(path).pin(server, tool)
    except ValueError as error:
        return None, str(error)
    if pin is None:
        return None, f"{path.name} holds no description of it"
    problem = problem_of(pin)
    return (None, problem) if problem else (pin, "")


@dataclass(frozen=True)
class _Judged:
    """What a call may do: as declared, or worse where the server itself hints at it."""

    risk: Risk
    effects: frozenset[Effect]
    reversible: bool
    effect_class: EffectClass

    @property
    def consequential(self) -> bool:
        return is_consequential(self.risk, self.effects)

    @classmethod
    def of(
        cls,
        risk: Risk,
        effects: frozenset[Effect],
        reversible: bool,
        effect_class: EffectClass,
        pin: Pin | None,
    ) -> _Judged:
        hints = pin.hints if pin else {}
        if hints.get("destructiveHint") and not hints.get("readOnlyHint"):
            effects, reversible = effects | {Effect.DESTRUCTIVE}, False
            risk = max(risk, Risk.HIGH, key=_rank)
        if effects or hints.get("readOnlyHint") is False:
            # A write is never of the risk that the baseline lets through.
            risk = max(risk, Risk.MEDIUM, key=_rank)
        if not is_consequential(risk, effects):
            # A read can be sent again without harm.
            return cls(risk, effects, True, EffectClass.IDEMPOTENT)
        if hints.get("idempotentHint") is False:
            effect_class = EffectClass.OPAQUE
        return cls(risk, effects, reversible, effect_class)


def _rank(risk: Risk) -> int:
    return risk.rank


def _described(server: str, pin: Pin | None) -> str:
    said = pin.description if pin else ""
    return (
        f"A tool of the MCP server {server}. What that server says of it, which nobody here vouches for: "
        f"{json.dumps(said, ensure_ascii=False)}"
    )


def _closed(schema: Any) -> Any:
    """The schema with every object that names its fields, and the arguments themselves, taking no others."""

    def within(value: Any) -> Any:
        if isinstance(value, list):
            return [within(each) for each in value]
        if not isinstance(value, dict):
            return value
        made = {
            key: {name: within(each) for name, each in inner.items()}
            if key in ("properties", "$defs", "patternProperties") and isinstance(inner, dict)
            # Values, not schemas.
            else inner
            if key in ("const", "enum", "default", "examples")
            else within(inner)
            for key, inner in value.items()
        }
        if isinstance(made.get("properties"), dict):
            made["additionalProperties"] = False
        return made

    return within({"properties": {}, **schema})


def _arguments(label: str, schema: dict[str, Any]) -> type[BaseModel]:
    """A model that takes the arguments which the schema takes, as they are, and describes itself by it."""
    check = _fits_schema(schema)

    class Arguments(RootModel[Annotated[dict[str, Any], AfterValidator(check)]]):
        @classmethod
        def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return schema

    Arguments.__name__ = f"Arguments of {label}"
    return Arguments


def _fits_schema(schema: dict[str, Any]) -> Callable[[Any], Any]:
    validator = validator_of(schema)

    def check(value: Any) -> Any:
        problems = sorted(validator.iter_errors(value), key=lambda each: [*map(str, each.path)])
        said = []
        for problem in problems[:20]:
            place = ".".join(str(part) for part in problem.path)
            words = problem.message[:LONGEST_FACT]
            said.append(f"{place}: {words}" if place else words)
        if said:
            raise ValueError("; ".join(said))
        return value

    return check


def _fits(pin: Pin | None) -> Callable[[Any], Any]:
    if pin is None or pin.output_schema is None:
        return lambda value: value
    return _fits_schema(pin.output_schema)


def _caller(
    server: str, tool: str, pin: Pin | None, seconds: float, consequential: bool
) -> Callable[[ToolContext, BaseModel], Any]:
    def ask(ctx: ToolContext, arguments: BaseModel) -> Any:
        config = settings.COUNTERSIGN
        there = config.mcp_servers.get(server)
        if there is None or pin is None:
            raise Terminal(f"The MCP server {server} is not set up here.", trust=Trust.TRUSTED)
        given = arguments.model_dump(mode="json")
        try:
            reply = call(
                there,
                config.tool_secrets,
                tool,
                given,
                pin=pin,
                key=ctx.idempotency_key,
                seconds=seconds,
            )
            return _taken(reply, pin)
        except NotReached as error:
            what = f"The MCP server {server} could not be asked. {error}"
            raise Retryable(what, trust=Trust.TRUSTED) from error
        except NotPinned as changed:
            what = (
                f"The MCP server {server} describes {tool} otherwise than when it was looked at ({changed}). "
                "It did not run. A person has to look at it, and run manage.py sync_mcp."
            )
            raise Terminal(what, trust=Trust.TRUSTED) from changed
        except NotTaken as error:
            what = f"The MCP server {server} answered with an error: {str(error)[:LONGEST_ERROR]}"
            raise Terminal(what, trust=Trust.UNTRUSTED) from error
        except AnswerLost as error:
            if consequential:
                raise
            raise Terminal(f"{server}: {error}", trust=Trust.TRUSTED) from error

    # What is known of a tool is shared by its key, which begins with where its function lives.
    ask.__module__ = f"mcp.{server}"
    return ask


def _taken(reply: Reply, pin: Pin) -> Any:
    """The result as it is journalled. Raises AnswerLost for one that is no use: the call has been made."""
    result = reply.text if reply.structured is None else reply.structured
    if pin.output_schema is not None and reply.structured is None:
        raise AnswerLost("The server's result is not of the kind that it declares.")
    if isinstance(result, str) and len(result.encode()) > MOST_RESULT_BYTES:
        return f"{result.encode()[:MOST_RESULT_BYTES].decode(errors='ignore')} [cut here: it was longer]"
    if len(json.dumps(result, ensure_ascii=False).encode()) > MOST_RESULT_BYTES:
        raise AnswerLost(f"The server's result is larger than {MOST_RESULT_BYTES:,} bytes.")
    return result


def _previewer(server: str, tool: str) -> Callable[[ToolContext, BaseModel], Preview]:
    def preview(ctx: ToolContext, arguments: BaseModel) -> Preview:
        given = arguments.model_dump(mode="json")
        facts = [Fact(label=name, value=_short(value)) for name, value in given.items()]
        return Preview(
            title=f"Ask the MCP server {server} to {tool}",
            summary=(
                "The server does it, by its own code. Nothing is known of it but what its owner and "
                "the exact arguments say."
            ),
            facts=(Fact(label="MCP server", value=server), *facts[:MOST_FACTS]),
            warnings=("Not all arguments are shown here.",) if len(facts) > MOST_FACTS else (),
        )

    return preview


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_FACT else f"{text[:LONGEST_FACT]}…"

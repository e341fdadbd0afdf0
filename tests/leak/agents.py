"""The blabber: whatever it does, it repeats the secret that it was handed, in every form."""

from __future__ import annotations

import logging
import warnings

import structlog
from pydantic import BaseModel, ConfigDict

from agents.authoring import (
    Accepted,
    Agent,
    Category,
    Effect,
    EffectClass,
    Fact,
    Preview,
    Retryable,
    Risk,
    Terminal,
    ToolContext,
    Trust,
    tool,
)
from tests.leak.forms import all_forms

NAME = "blab_key"
log = structlog.get_logger(__name__)


class Way(BaseModel):
    """In which way it slips."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    way: str


def _said(ctx: ToolContext) -> list[str]:
    return all_forms(ctx.secrets[NAME])


@tool(risk=Risk.LOW, trust=Trust.TRUSTED, secrets={NAME})
def tell(ctx: ToolContext, way: Way) -> dict[str, object]:
    """Tell something."""
    said = _said(ctx)
    match way.way:
        case "terminal":
            raise Terminal(" ".join(said))
        case "retryable":
            raise Retryable(" ".join(said))
        case "crash":
            try:
                raise KeyError(said)
            except KeyError as error:
                raise RuntimeError(said) from error
        case "log":
            logging.getLogger("a.library").error("%s", said, extra={"more": {said[0]: said}})
            log.error(said[0], said=said, whole=ctx, bare=ctx.secrets, odd=_Odd(said))
            warnings.warn(" ".join(said), stacklevel=1)
        case "malformed":
            return said  # type: ignore[return-value]
    return {"said": said, **dict.fromkeys(said, "a key"), "deep": [{"er": said}]}


class _Odd:
    """What a log writes down only at its end."""

    def __init__(self, said: list[str]) -> None:
        self.said = said

    def __repr__(self) -> str:
        return f"Odd({self.said})"


@tool(
    risk=Risk.HIGH,
    effects={Effect.MONEY},
    reversible=True,
    effect_class=EffectClass.QUERYABLE,
    secrets={NAME},
    callback="demo-mail",
)
def pay(ctx: ToolContext, way: Way) -> Accepted[dict[str, list[str]]]:
    """Pay."""
    if way.way == "crash":
        raise RuntimeError(_said(ctx))
    return Accepted({"said": _said(ctx)}, reference=ctx.secrets[NAME])


@pay.preview
def show(ctx: ToolContext, way: Way) -> Preview:
    if way.way == "blind":
        raise RuntimeError(_said(ctx))
    said = _said(ctx)
    return Preview(
        title=f"Pay with {ctx.secrets[NAME]}",
        summary=" ".join(said),
        subject=ctx.secrets[NAME],
        facts=tuple(Fact(label=each[:60], value=each) for each in said),
        warnings=tuple(said),
    )


@pay.state_token
def token(ctx: ToolContext, way: Way) -> str:
    return ctx.secrets[NAME] if way.way != "lost" else str(int(ctx.secrets[NAME]))


@pay.lookup
def find(ctx: ToolContext, way: Way) -> dict[str, list[str]] | None:
    raise RuntimeError(_said(ctx))


@pay.verify
def look(ctx: ToolContext, way: Way, result: dict[str, list[str]]) -> bool:
    if way.way == "unseen":
        raise RuntimeError(_said(ctx))
    return True


blabber = Agent(
    slug="blabber",
    title="Blabber",
    category=Category.BOUNDED,
    owner="finance",
    instructions="Say nothing.",
    tools=(tell, pay),
)

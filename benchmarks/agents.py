"""An agent whose one action does nothing but note when it was executed."""

from functools import lru_cache

from django.conf import settings
from pydantic import BaseModel, ConfigDict

from agents.authoring import (
    Agent,
    Category,
    Effect,
    EffectClass,
    Preview,
    Risk,
    ToolContext,
    Trust,
    tool,
)
from benchmarks.recorder import Recorder


@lru_cache(maxsize=1)
def _recorder() -> Recorder:
    return Recorder(settings.COUNTERSIGN.redis_url)


class Mark(BaseModel):
    """Which cycle this is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cycle: int


@tool(
    risk=Risk.HIGH,
    effects={Effect.MONEY},
    reversible=True,
    effect_class=EffectClass.OPAQUE,
    trust=Trust.TRUSTED,
    identity={"cycle"},
)
def mark(ctx: ToolContext, arguments: Mark) -> bool:
    """Note the moment of execution."""
    _recorder().act(arguments.cycle)
    return True


@mark.preview
def show(ctx: ToolContext, arguments: Mark) -> Preview:
    return Preview(title=f"Mark cycle {arguments.cycle}")


marker = Agent(
    slug="marker",
    title="Marker",
    category=Category.BOUNDED,
    owner="benchmark",
    instructions="Mark the cycle you are told.",
    tools=(mark,),
)

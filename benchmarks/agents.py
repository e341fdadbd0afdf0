"""An agent whose one action does nothing but note when it was executed."""

from time import monotonic_ns

from django.conf import settings
from pydantic import BaseModel, ConfigDict
from redis import Redis

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

EXECUTED = "benchmarks:executed"


class Mark(BaseModel):
    """Which cycle this is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cycle: int


@tool(
    risk=Risk.HIGH,
    effects={Effect.MONEY},
    effect_class=EffectClass.OPAQUE,
    trust=Trust.TRUSTED,
    identity={"cycle"},
)
def mark(ctx: ToolContext, arguments: Mark) -> bool:
    """Note the moment of execution."""
    # The clock is read first: what is measured ends when the action begins to act.
    executed = monotonic_ns()
    with Redis.from_url(settings.COUNTERSIGN.redis_url) as client:
        client.rpush(EXECUTED, f"{arguments.cycle}:{executed}")
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

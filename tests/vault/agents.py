"""The keeper: what it does is counted in Redis, outside the product's tables."""

from __future__ import annotations

import os
import threading

from django.conf import settings
from pydantic import BaseModel, ConfigDict
from redis import Redis

from agents.authoring import Agent, Category, Risk, ToolContext, Trust, tool

OPENED = "vault:opened"
CLASHED = "vault:clashed"
TURNED = "vault:turned"


class Drawers(BaseModel):
    """Names of drawers, in the order in which they are wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    names: list[str]


@tool(risk=Risk.LOW, trust=Trust.TRUSTED)
def open_drawers(ctx: ToolContext, drawers: Drawers) -> str:
    """Open drawers, and close them again."""
    with Redis.from_url(settings.COUNTERSIGN.redis_url) as vault:
        for name in drawers.names:
            vault.set(f"vault:{name}", ctx.idempotency_key, nx=True)
            # A call that is made again after its worker died meets itself.
            if vault.get(f"vault:{name}") != ctx.idempotency_key.encode():
                vault.rpush(CLASHED, f"{ctx.idempotency_key} at {name}")
        vault.rpush(OPENED, ctx.idempotency_key)
        for name in drawers.names:
            vault.delete(f"vault:{name}")
    return "closed"


@open_drawers.locks
def drawers_of(drawers: Drawers) -> list[str]:
    return [f"drawer:{name}" for name in drawers.names]


class Key(BaseModel):
    """Which key."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    stuck: bool


@tool(risk=Risk.LOW, trust=Trust.TRUSTED, timeout_seconds=0.5)
def turn_key(ctx: ToolContext, key: Key) -> str:
    """Turn a key; a stuck one never comes round."""
    with Redis.from_url(settings.COUNTERSIGN.redis_url) as vault:
        vault.rpush(TURNED, os.getpid())
    if key.stuck:
        threading.Event().wait()
    return "turned"


keeper = Agent(
    slug="keeper",
    title="Keeper",
    category=Category.BOUNDED,
    owner="finance",
    instructions="Open the drawers that you are told.",
    tools=(open_drawers, turn_key),
)

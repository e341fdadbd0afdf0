"""Caps of a run: what is counted, and which one is reached. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agents.definitions import Agent
from agents.models import Run


@dataclass(frozen=True)
class Cap:
    """A reached cap: its name in `Budget`, what was used, and the limit with its extensions."""

    name: str
    used: int
    limit: int


def reached_cap(agent: Agent, run: Run) -> Cap | None:
    """The first cap that the run has reached, or None."""
    used = {
        "steps": run.step_count,
        "model_calls": run.model_calls,
        "tool_calls": run.tool_calls,
        "tokens": run.tokens_in + run.tokens_out,
    }
    for name, amount in used.items():
        limit = getattr(agent.budget, name) + int(run.extra_caps.get(name, 0))
        if amount >= limit:
            return Cap(name, amount, limit)
    return None

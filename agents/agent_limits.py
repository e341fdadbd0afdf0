"""What admins set for an agent: caps of its runs within the declared limits, and what it may spend. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from agents.definitions import Agent, Budget

LARGEST: Final = 10**15
Amount = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]


class Spend(BaseModel):
    """What an agent may spend in a span of time; None is no limit. Money in millionths of the unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    cost_micros: Amount | None = None
    tokens: Amount | None = None

    @property
    def limits(self) -> bool:
        """Whether anything is limited."""
        return self.cost_micros is not None or self.tokens is not None


class AgentLimits(BaseModel):
    """`caps` take the place of those that the agent declares, by name. `extend_times`: up to how many times
    a cap people may extend one run; `over_percent`: how far they may let runs go above what the agent may
    spend. Days and months are those of UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    caps: dict[str, Amount] = Field(default_factory=dict)
    extend_times: int = Field(default=10, strict=True, ge=1, le=100)
    over_percent: int = Field(default=10, strict=True, ge=0, le=100)
    day: Spend = Spend()
    month: Spend = Spend()

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> AgentLimits:
        """Back from the agent's row."""
        return cls.model_validate(stored)

    @property
    def spends(self) -> dict[str, Spend]:
        """What it may spend, by span of time."""
        return {"day": self.day, "month": self.month}

    @property
    def limit_spending(self) -> bool:
        """Whether what the agent spends is limited at all."""
        return self.day.limits or self.month.limits

    def stored(self) -> dict[str, Any]:
        """As the agent's row keeps them."""
        return self.model_dump(mode="json", exclude_defaults=True)


def budget_in_force(agent: Agent, limits: AgentLimits) -> Budget:
    """The caps of a run: the declared ones, but for what admins set, which never passes the declared limits.

    The definition may have been lowered since they set it.
    """
    highest = agent.limits or agent.budget
    changed = {
        name: value if (most := getattr(highest, name)) is None else min(value, most)
        for name, value in limits.caps.items()
        if name in Budget.model_fields
    }
    return agent.budget.model_copy(update=changed)

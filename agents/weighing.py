"""Weighing a model call before it is made: what it may take at most, and which limit it might pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from agents.agent_limits import budget_in_force
from agents.caps import Cap, limits_of, passed_cap
from agents.definitions import Agent
from agents.llm_types import Endpoint
from agents.models import Run
from agents.prices import upper_estimate
from agents.usage import most_tokens_in
from audit.clock import moment_of


def cap_of_call(
    agent: Agent, run: Run, request: Mapping[str, Any], endpoints: Sequence[Endpoint]
) -> Cap | None:
    """The limit that asking these models, one after the other, might pass; or None.

    Prices are looked up only where money is limited. `run` was read with the clock.
    """
    tokens_in = most_tokens_in(request)
    needed = {"tokens": tokens_in + settings.COUNTERSIGN.model_reply_tokens}
    if budget_in_force(agent, limits_of(run)).cost_micros is not None:
        needed["cost_micros"] = _dearest(endpoints, tokens_in, moment_of(run))
    return passed_cap(agent, run, needed)


def _dearest(endpoints: Sequence[Endpoint], tokens_in: int, at: datetime) -> int:
    """What asking the dearest of them costs at most; nothing where none has a price."""
    costs = [upper_estimate(endpoint.name, tokens_in, at) for endpoint in endpoints]
    return max((cost for cost in costs if cost is not None), default=0)

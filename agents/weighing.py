"""Weighing a model call before it is made: what it may take at most, and which limit it might pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from agents.agent_budgets import budgets_of, spent_by
from agents.agent_limits import AgentLimits, budget_in_force
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
    """The limit of the run, or of its agent, that asking these models, one after the other, might pass; or None.

    Prices and what the agent has spent are looked up only where they are limited. `run` was read with the
    clock.
    """
    tokens_in = most_tokens_in(request)
    limits = limits_of(run)
    needed = {"tokens": tokens_in + settings.COUNTERSIGN.model_reply_tokens}
    spends = limits.spends.values()
    if budget_in_force(agent, limits).cost_micros is not None or any(
        spend.cost_micros is not None for spend in spends
    ):
        needed["cost_micros"] = _dearest(endpoints, tokens_in, moment_of(run))
    return passed_cap(agent, run, needed) or _passed_budget(run, limits, needed)


def _passed_budget(run: Run, limits: AgentLimits, needed: Mapping[str, int]) -> Cap | None:
    """The budget of the run's agent that the call might pass.

    People may let runs go above it by a share of it, all runs together: what they allowed one run counts
    against what all have spent.
    """
    if not limits.limit_spending:
        return None
    now = moment_of(run)
    for budget in budgets_of(limits, spent_by(run.agent_id, now), now):
        over = budget.limit * limits.over_percent // 100
        allowed = min(int(run.extra_caps.get(budget.name, 0)), over)
        limit, more = budget.limit + allowed, needed.get(budget.measure, 0)
        if (budget.used and budget.used >= limit) or budget.used + more > limit:
            return Cap(budget.name, budget.used, limit, more, over - allowed)
    return None


def _dearest(endpoints: Sequence[Endpoint], tokens_in: int, at: datetime) -> int:
    """What asking the dearest of them costs at most; nothing where none has a price."""
    costs = [upper_estimate(endpoint.name, tokens_in, at) for endpoint in endpoints]
    return max((cost for cost in costs if cost is not None), default=0)

"""Refuse what would begin although its agent has spent what it may."""

from __future__ import annotations

from agents import amounts
from agents.agent_budgets import budgets_of, spent_by
from agents.agent_limits import AgentLimits
from agents.errors import BudgetSpent
from agents.models import HostedAgent
from audit.clock import database_now


def refuse_where_spent(hosted: HostedAgent) -> None:
    """Raise BudgetSpent where the day's or the month's budget is spent. No statement where none is set."""
    limits = AgentLimits.load(hosted.limits)
    if not limits.limit_spending:
        return
    now = database_now()
    for budget in budgets_of(limits, spent_by(hosted.pk, now), now):
        if budget.used >= budget.limit > 0:
            said = amounts.sentence(budget.name, budget.used, budget.limit)
            raise BudgetSpent(hosted.slug, budget.span, said)

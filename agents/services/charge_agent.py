"""Charge a model call to its agent's day, in the transaction that charges it to its run."""

from __future__ import annotations

from django.db import connection

from agents.agent_budgets import Budgeted, budgets_of, spent_by, today
from agents.agent_limits import AgentLimits
from agents.models import BudgetNotice, Run
from agents.queues import mail_budget_on_commit
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef

PARTS = 8
"""Over so many rows an agent's day is spread: workers with different runs seldom wait for each other."""
TOLD_AT = (80, 100)

# Locked after the run's row, and no other row of this table with it. A call is charged once: whoever charges
# it closes its step in the same transaction, under the run's lock.
_CHARGE = """
INSERT INTO agents_agentspend AS spend (agent_id, day, part, calls, tokens, cost_micros)
VALUES (%s, %s, %s, 1, %s, %s)
ON CONFLICT (agent_id, day, part) DO UPDATE
   SET calls = spend.calls + 1, tokens = spend.tokens + excluded.tokens,
       cost_micros = spend.cost_micros + excluded.cost_micros
"""


def charge_agent(run: Run, *, tokens: int, cost_micros: int) -> None:
    """Add a call to what the run's agent has spent today. The caller holds the run's row.

    Where that brings a budget of it to 80 or 100 %, the owner group is told, once for each budget and span.
    """
    now = database_now()
    part = run.pk.int % PARTS
    with connection.cursor() as cursor:
        cursor.execute(_CHARGE, [run.agent_id, today(now), part, tokens, cost_micros])
    limits = AgentLimits.load(run.agent.limits)
    if not limits.limit_spending:
        return
    for budget in budgets_of(limits, spent_by(run.agent_id, now), now):
        for percent in TOLD_AT:
            if budget.percent >= percent:
                _tell(run, budget, percent)


def _tell(run: Run, budget: Budgeted, percent: int) -> None:
    now = database_now()
    notice, new = BudgetNotice.objects.get_or_create(
        agent=run.agent,
        span=budget.span,
        begins_on=budget.begins_on,
        measure=budget.measure,
        percent=percent,
        limit=budget.limit,
        defaults={"used": budget.used, "told_at": now, "mail_due_at": now},
    )
    if not new:
        return
    record(
        type="agent.budget_spent",
        actor=Actor.system("budget"),
        stream=f"agent:{run.agent.slug}",
        agent=AgentRef(slug=run.agent.slug),
        facts={
            "span": budget.span,
            "measure": budget.measure,
            "percent": percent,
            "used": budget.used,
            "limit": budget.limit,
        },
    )
    mail_budget_on_commit(notice.pk)

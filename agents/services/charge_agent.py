"""Charge a reply of a model to its run and to the day of its agent, at once."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from agents.agent_budgets import Budgeted, budgets_of, spent_by, today
from agents.agent_limits import AgentLimits
from agents.counted import MODEL_COST, MODEL_TOKENS, MODEL_UNPRICED
from agents.llm_types import Reply
from agents.models import BudgetNotice, Run
from agents.queues import mail_budget_on_commit
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef
from audit.statements import landed

PARTS = 8
"""Over so many rows an agent's day is spread: workers with different runs seldom wait for each other."""
TOLD_AT = (80, 100)

# The agent's row is locked after the run's, and no other row of its table with it. A call is charged once:
# whoever charges it closes its step in the same transaction, under the run's lock.
_CHARGE = """
WITH spent AS (
INSERT INTO agents_agentspend AS spend (agent_id, day, part, calls, tokens, cost_micros)
VALUES (%(agent)s, %(day)s, %(part)s, 1, %(in)s + %(out)s, %(cost)s)
ON CONFLICT (agent_id, day, part) DO UPDATE
   SET calls = spend.calls + 1, tokens = spend.tokens + excluded.tokens,
       cost_micros = spend.cost_micros + excluded.cost_micros)
UPDATE agents_run
   SET step_count = step_count + 1, model_calls = model_calls + 1,
       tokens_in = tokens_in + %(in)s, tokens_out = tokens_out + %(out)s,
       cost_micros = cost_micros + %(cost)s, unpriced_calls = unpriced_calls + %(unpriced)s,
       score_tokens_in = score_tokens_in + CASE WHEN %(scores)s THEN %(in)s ELSE 0 END,
       score_tokens_out = score_tokens_out + CASE WHEN %(scores)s THEN %(out)s ELSE 0 END,
       score_cost_micros = score_cost_micros + CASE WHEN %(scores)s THEN %(cost)s ELSE 0 END,
       version = version + 1, stalled_claims = 0, sleeps = 0
 WHERE id = %(run)s
"""


def charge_reply(run: Run, reply: Reply, cost: int | None, *, scores: bool = False) -> None:
    """Count the call and add what it took to the run, whose row the caller holds, and to what its agent has
    spent today. `cost` in millionths of the currency unit, None where nobody said a price; `scores`: it
    gathered a score. One statement, and one more where the agent has a budget.

    Where that brings a budget of it to 80 or 100 %, the owner group is told, once for each budget and span.
    """
    now = database_now()
    given: dict[str, UUID | date | int] = {
        "agent": run.agent_id,
        "day": today(now),
        "part": run.pk.int % PARTS,
        "in": reply.tokens_in,
        "out": reply.tokens_out,
        "cost": cost or 0,
        "unpriced": int(cost is None),
        "scores": scores,
        "run": run.pk,
    }
    landed(_CHARGE, given)
    _count(reply, cost)
    limits = AgentLimits.load(run.agent.limits)
    if not limits.limit_spending:
        return
    for budget in budgets_of(limits, spent_by(run.agent_id, now), now):
        for percent in TOLD_AT:
            if budget.percent >= percent:
                _tell(run, budget, percent)


def _count(reply: Reply, cost: int | None) -> None:
    MODEL_TOKENS.add(reply.asked, "in", by=reply.tokens_in)
    MODEL_TOKENS.add(reply.asked, "out", by=reply.tokens_out)
    if cost is None:
        MODEL_UNPRICED.add(reply.asked)
    else:
        MODEL_COST.add(reply.asked, by=cost)


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

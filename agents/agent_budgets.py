"""What an agent has spent today and this month, by the days of UTC, and which of its budgets that reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from django.db import connection

from agents.agent_limits import AgentLimits
from agents.models.spend import MEASURES, SPANS

_SPENT = """
SELECT coalesce(sum(cost_micros) FILTER (WHERE day = %(today)s::date), 0)::bigint,
       coalesce(sum(tokens) FILTER (WHERE day = %(today)s::date), 0)::bigint,
       coalesce(sum(cost_micros), 0)::bigint,
       coalesce(sum(tokens), 0)::bigint
  FROM agents_agentspend
 WHERE agent_id = %(agent)s AND day BETWEEN %(first)s::date AND %(today)s::date
"""
NAMES: Final = tuple(f"{span}_{measure}" for span in SPANS for measure in MEASURES)
"""`day_cost_micros` and so on: budgets of agents, beside the caps of a run."""


@dataclass(frozen=True)
class Budgeted:
    """One budget of an agent, with what is spent of it; `name` is one of NAMES."""

    name: str
    span: str
    measure: str
    begins_on: date
    used: int
    limit: int

    @property
    def percent(self) -> int:
        """How much of it is spent, rounded down; 100 where nothing may be."""
        return self.used * 100 // self.limit if self.limit else 100


def today(now: datetime) -> date:
    """The day of UTC at that moment."""
    return now.astimezone(UTC).date()


def begins_on(span: str, now: datetime) -> date:
    """The first day of the day or month of UTC at that moment."""
    day = today(now)
    return day if span == "day" else day.replace(day=1)


def spent_by(agent_id: int, now: datetime) -> dict[str, int]:
    """What the agent has spent in the day and the month of that moment, by NAMES. One statement."""
    with connection.cursor() as cursor:
        days = {"today": today(now).isoformat(), "first": begins_on("month", now).isoformat()}
        cursor.execute(_SPENT, {"agent": agent_id, **days})
        return dict(zip(NAMES, cursor.fetchone(), strict=True))


def budgets_of(limits: AgentLimits, spent: Mapping[str, int], now: datetime) -> Iterator[Budgeted]:
    """The budgets that are set, with what is spent of each."""
    for span, spend in limits.spends.items():
        for measure in MEASURES:
            limit: int | None = getattr(spend, measure)
            if limit is not None:
                name = f"{span}_{measure}"
                yield Budgeted(name, span, measure, begins_on(span, now), spent[name], limit)

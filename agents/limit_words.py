"""What an agent may use and has used, for its page, its limits page and programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.translation import gettext

from accounts.callers import Caller
from agents import amounts
from agents.agent_budgets import begins_on, spent_by
from agents.agent_limits import AgentLimits, budget_in_force
from agents.definitions import Agent, Budget
from agents.models import HostedAgent
from agents.models.spend import MEASURES, SPANS
from audit.wordings import Words

SPENT_WORDS: Final = Words(
    {
        "day_cost_micros": "Money today",
        "day_tokens": "Tokens today",
        "month_cost_micros": "Money this month",
        "month_tokens": "Tokens this month",
    }
)


def may_read_spent(caller: Caller) -> bool:
    """Whether sums of the moment are shown: they count calls that gather a score which is secret yet, so
    that those who decide do not read them."""
    return caller.holds("manage_agents") or caller.holds("read_everything")


@dataclass(frozen=True)
class SpentWords:
    """What was spent in a span; `share` of the limit, where there is one."""

    label: str
    text: str
    share: float | None


def spent_words(hosted: HostedAgent, now: datetime) -> list[SpentWords]:
    """What the agent has spent today and this month, and of which budget. One query."""
    limits, spent = AgentLimits.load(hosted.limits), spent_by(hosted.pk, now)
    rows = []
    for span, spend in limits.spends.items():
        for measure in MEASURES:
            used, limit = spent[f"{span}_{measure}"], getattr(spend, measure)
            text = amounts.amount_of(measure, used)
            if limit is not None:
                text = gettext("{used} of {limit}").format(
                    used=text, limit=amounts.amount_of(measure, limit)
                )
            share = None if limit is None else used / limit if limit else 1.0
            rows.append(SpentWords(SPENT_WORDS[f"{span}_{measure}"], text, share))
    return rows


def cap_facts(agent: Agent, hosted: HostedAgent) -> list[dict[str, str]]:
    """The caps in force for new and open runs of this definition, with those that admins set."""
    limits = AgentLimits.load(hosted.limits)
    budget = budget_in_force(agent, limits)
    return [
        {
            "label": amounts.title_of(name),
            "value": gettext("No limit")
            if (cap := getattr(budget, name)) is None
            else amounts.amount_of(name, cap)
            + (gettext(", set by an admin") if name in limits.caps else ""),
        }
        for name in Budget.model_fields
    ]


def limits_as_json(
    declared: Agent, hosted: HostedAgent, now: datetime, caller: Caller
) -> dict[str, Any]:
    """Caps and budgets, and for those who may read it what is spent; money in millionths of the unit."""
    limits = AgentLimits.load(hosted.limits)
    return {
        "agent": hosted.slug,
        "declared": declared.budget.model_dump(mode="json"),
        "highest": (declared.limits or declared.budget).model_dump(mode="json"),
        "in_force": budget_in_force(declared, limits).model_dump(mode="json"),
        **limits.model_dump(mode="json"),
        "spent": _spent_as_json(hosted, now) if may_read_spent(caller) else None,
        "set_at": hosted.limits_set_at.isoformat() if hosted.limits_set_at else None,
    }


def _spent_as_json(hosted: HostedAgent, now: datetime) -> dict[str, Any]:
    spent = spent_by(hosted.pk, now)
    return {
        span: {
            "begins_on": begins_on(span, now).isoformat(),
            **{measure: spent[f"{span}_{measure}"] for measure in MEASURES},
        }
        for span in SPANS
    }

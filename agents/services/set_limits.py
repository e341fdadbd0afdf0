"""Set what an agent may use: caps of its runs within the declared limits, and what it may spend."""

from __future__ import annotations

from django.db import transaction
from pydantic import ValidationError

from accounts.callers import Caller, authorised
from agents import amounts, registry
from agents.agent_budgets import NAMES
from agents.agent_limits import AgentLimits
from agents.definitions import Agent, Budget
from agents.errors import LimitsInvalid, UnknownAgent
from agents.models import HostedAgent
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef


def set_limits(*, slug: str, limits: AgentLimits, caller: Caller | Actor) -> HostedAgent:
    """Set all of them at once; what is left out is as declared, or without a limit.

    They hold at once, for runs that are under way too: each looks before its next step. Runs that stand at a
    limit look again. Admins of agents may. Raises a Forbidden, UnknownAgent, LimitsInvalid.
    """
    actor = authorised(caller, "manage_agents", scope="admin")
    with transaction.atomic():
        hosted = HostedAgent.objects.select_for_update(no_key=True).filter(slug=slug).first()
        declared = registry.find(slug)
        if hosted is None or declared is None:
            raise UnknownAgent(slug)
        _check(declared, limits)
        if limits.stored() == hosted.limits:
            return hosted
        hosted.limits = limits.stored()
        hosted.limits_set_at = database_now()
        hosted.save(update_fields=["limits", "limits_set_at"])
        record(
            type="agent.limits_set",
            actor=actor,
            stream=f"agent:{slug}",
            agent=AgentRef(slug=slug),
            facts=_facts(limits),
        )
        return hosted


def _check(declared: Agent, limits: AgentLimits) -> None:
    highest = declared.limits or declared.budget
    for name, value in limits.caps.items():
        if name not in Budget.model_fields:
            raise LimitsInvalid(f"caps.{name}", "There is no such cap.")
        most = getattr(highest, name)
        if most is not None and value > most:
            allowed = amounts.amount_of(name, most)
            raise LimitsInvalid(f"caps.{name}", f"The agent is declared with at most {allowed}.")
        try:
            Budget.model_validate({name: value})
        except ValidationError as error:
            raise LimitsInvalid(f"caps.{name}", f"{error.errors()[0]['msg']}.") from error


def _facts(limits: AgentLimits) -> dict[str, int]:
    spends = {
        f"{span}_{measure}": amount
        for span, spend in limits.spends.items()
        for measure, amount in spend
        if amount is not None
    }
    assert set(spends) <= set(NAMES)
    return {
        **limits.caps,
        **spends,
        "extend_times": limits.extend_times,
        "over_percent": limits.over_percent,
    }

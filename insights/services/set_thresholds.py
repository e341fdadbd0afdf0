"""Set when the owner group of an agent is alerted."""

from __future__ import annotations

from django.db import transaction

from accounts.callers import Caller
from agents.hosted import hosted_of
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef
from insights.errors import ThresholdsInvalid, UnknownAgentHere
from insights.models import Thresholds

MOST_MICROS = 10**12
MOST_TIMES = 1_000


def set_thresholds(
    *,
    slug: str,
    failure_percent: int | None,
    cost_micros: int | None,
    cost_times: float | None,
    caller: Caller,
) -> Thresholds:
    """All of them at once; None is as the settings say, and 0 never. They hold from the next look on.

    Admins of agents may. Raises a Forbidden, UnknownAgentHere, ThresholdsInvalid.
    """
    caller.require("manage_agents", scope="admin")
    _check(failure_percent, cost_micros, cost_times)
    with transaction.atomic():
        agent = hosted_of(slug, lock=True)
        if agent is None:
            raise UnknownAgentHere(slug)
        given = {
            "failure_percent": failure_percent,
            "cost_micros": cost_micros,
            "cost_times": cost_times,
        }
        made, _ = Thresholds.objects.update_or_create(
            agent_id=agent, defaults={**given, "set_by": caller.user, "set_at": database_now()}
        )
        record(
            type="agent.alerts_set",
            actor=caller.actor,
            stream=f"agent:{slug}",
            agent=AgentRef(slug=slug),
            facts={
                "failure_percent": failure_percent,
                "cost_micros": cost_micros,
                "cost_percent": None if cost_times is None else round(100 * cost_times),
            },
        )
        return made


def _check(percent: int | None, micros: int | None, times: float | None) -> None:
    if percent is not None and not 0 <= percent <= 100:
        raise ThresholdsInvalid("failure_percent", "A share of runs is from 0 to 100 percent.")
    if micros is not None and not 0 <= micros <= MOST_MICROS:
        raise ThresholdsInvalid("cost_micros", "A success costs from 0 to 1,000,000.")
    # Not a number is neither more nor less.
    if times is not None and not (times == 0 or 1 <= times <= MOST_TIMES):
        raise ThresholdsInvalid(
            "cost_times", f"Say how many times as much: 1 to {MOST_TIMES}, or 0 for never."
        )

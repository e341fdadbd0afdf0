"""Delete what an agent wrote down, with what stood under the same key before."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from agents.errors import UnknownMemory
from agents.models import HostedAgent, Memory
from agents.services.set_switch import authorised_over
from audit.recorder import record
from audit.schemas import AgentRef


def forget(*, agent: str, memory_id: UUID, caller: Caller) -> int:
    """Delete it for good; returns how many rows went. Admins of agents may, and the people of the group that
    owns the agent. Raises UnknownMemory, or a Forbidden."""
    with transaction.atomic():
        rows = Memory.objects.visible_to(caller.user).filter(agent__slug=agent)
        memory = rows.filter(pk=memory_id).first()
        if memory is None:
            raise UnknownMemory
        # Writing down locks the same row, so that nothing comes under this key meanwhile.
        hosted = HostedAgent.objects.select_for_update(no_key=True).get(pk=memory.agent_id)
        actor = authorised_over(caller, hosted)
        alike = Memory.objects.filter(agent=hosted, root=memory.root_id, key=memory.key)
        removed, _ = alike.delete()
        if not removed:
            raise UnknownMemory
        record(
            type="memory.deleted",
            actor=actor,
            stream=f"agent:{agent}",
            agent=AgentRef(slug=agent, run=memory.run_id),
            facts={"memory": memory.pk, "removed": removed},
        )
    return removed

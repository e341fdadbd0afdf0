"""Hosted agents by name, for apps above."""

from __future__ import annotations

from agents.models import HostedAgent


def hosted_of(slug: str, *, lock: bool = False) -> int | None:
    """The key of the agent; None where there is none of that name. `lock`: held until the transaction ends."""
    rows = HostedAgent.objects.filter(slug=slug)
    if lock:
        rows = rows.select_for_update()
    return rows.values_list("pk", flat=True).first()

"""Hosted agents by name, for apps above."""

from __future__ import annotations

from collections.abc import Collection

from agents.models import HostedAgent


def hosted_of(slug: str, *, lock: bool = False) -> int | None:
    """The key of the agent; None where there is none of that name. `lock`: held until the transaction ends."""
    rows = HostedAgent.objects.filter(slug=slug)
    if lock:
        rows = rows.select_for_update(no_key=True)
    return rows.values_list("pk", flat=True).first()


def titles_of(slugs: Collection[str]) -> dict[str, str]:
    """What the agents are called, by name; those that are not hosted here are left out."""
    return dict(HostedAgent.objects.filter(slug__in=slugs).values_list("slug", "title"))

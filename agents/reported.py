"""Agents behind whose models' names another one answered, for whoever lists that."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from django.db.models import Count, Max

from agents.models import ReportedModel


def models_changed(*, since: date) -> list[tuple[int, int, datetime]]:
    """Since the beginning of that day of UTC: the agent's key, how many names came, and when the last one did."""
    rows = ReportedModel.objects.filter(
        is_change=True, first_seen_at__gte=datetime.combine(since, time(), UTC)
    )
    told = rows.values("agent").annotate(number=Count("pk"), last=Max("first_seen_at"))
    return list(told.order_by("agent").values_list("agent", "number", "last"))

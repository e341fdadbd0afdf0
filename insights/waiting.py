"""Requests that wait, by how long: counted now, since that is what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection

from approvals.request_lists import AGES
from insights.reading import Asked

_WAITING: Final = """
SELECT count(*) FILTER (WHERE created_at > %(hour)s),
       count(*) FILTER (WHERE created_at <= %(hour)s AND created_at > %(day)s),
       count(*) FILTER (WHERE created_at <= %(day)s AND created_at > %(week)s),
       count(*) FILTER (WHERE created_at <= %(week)s)
  FROM approvals_approvalrequest
 WHERE state = 'pending' AND {fits}
"""
# Made of what is asked, so that a list without filters is told by the index alone.
_FITS: Final = {
    "agent": "agent = %(agent)s",
    "tool": "tool = %(tool)s",
    "version": "agent_version = %(version)s",
    "category": "agent_version IN (SELECT version FROM insights_slice WHERE category = %(category)s)",
    # Said once more, since the index that tells agents tells no versions.
    "agents": "agent = ANY(%(agents)s)",
}


def waiting_by_age(asked: Asked, agents: Sequence[str], now: datetime) -> dict[str, int]:
    """How many wait, by a word of `AGES`; `agents` are those that the versions asked for are of, none where these
    are not known. One statement."""
    told = {name: getattr(asked, name) for name in ("agent", "tool", "version", "category")}
    given: dict[str, Any] = {name: value for name, value in told.items() if value}
    if agents and (asked.version or asked.category):
        given["agents"] = list(agents)
    fits = " AND ".join(_FITS[name] for name in given) or "TRUE"
    moments = {name: now - span for name, span in AGES.items() if span}
    with connection.cursor() as cursor:
        cursor.execute(_WAITING.format(fits=fits), {**given, **moments})
        return dict(zip(AGES, cursor.fetchone(), strict=True))

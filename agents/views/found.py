"""Runs and agents by words, for the search of every page."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext

from accounts.callers import Caller
from agents.models import HostedAgent, Run
from agents.views.runs import RunRow, rows_of
from approvals.found import Found

#: How many of the newest runs of the house are looked through.
LOOKED_THROUGH: Final = 2_000
MOST_WORDS: Final = 8


def found_runs(caller: Caller, words: str, *, most: int) -> list[Found]:
    """At most `most` of the newest runs that the person may see: with every word in title or agent, or with
    that id. What is kept from the person in a title finds nothing."""
    visible = Run.objects.visible_for(caller).select_related("agent", "agent_version")
    if (known := _id(words)) is not None:
        return [_found_run(row) for row in rows_of(list(visible.filter(pk=known)), caller)]
    newest = Run.objects.newest_first().values("pk")[:LOOKED_THROUGH]
    runs = visible.filter(pk__in=newest)
    for word in words.split()[:MOST_WORDS]:
        runs = runs.filter(Q(title__icontains=word) | Q(agent__title__icontains=word))
    # Some may not be found by what their title holds: a few more are asked for.
    rows = rows_of(list(runs.newest_first()[: 3 * most]), caller)
    return [_found_run(row) for row in rows if _holds(row, words)][:most]


def found_agents(caller: Caller, words: str, *, most: int) -> list[Found]:
    """At most `most` agents that the person may know of, with every word in title or short name."""
    agents = HostedAgent.objects.visible_to(caller.user).select_related("owner_group")
    for word in words.split()[:MOST_WORDS]:
        agents = agents.filter(Q(title__icontains=word) | Q(slug__icontains=word))
    return [
        Found(
            agent.title,
            gettext("Agent of {title}").format(title=agent.owner_group.title),
            reverse("agent-detail", kwargs={"slug": agent.slug}),
        )
        for agent in agents.order_by("title", "slug")[:most]
    ]


def _holds(row: RunRow, words: str) -> bool:
    shown = f"{row.run.title}\n{row.run.agent.title}".casefold()
    return all(word.casefold() in shown for word in words.split()[:MOST_WORDS])


def _found_run(row: RunRow) -> Found:
    return Found(
        row.run.title,
        gettext("Run of {title} · {state}").format(title=row.run.agent.title, state=row.state),
        reverse("run-detail", kwargs={"pk": row.run.pk}),
    )


def _id(words: str) -> UUID | None:
    try:
        return UUID(words)
    except ValueError:
        return None

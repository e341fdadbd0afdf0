"""What of the list of runs is asked for, as a QuerySet."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import BooleanField, Func, Q, QuerySet, Value
from django.utils import timezone

from accounts.callers import Caller
from accounts.models import User
from agents import registry
from agents.models import AgentVersion, Run
from agents.states import RunState
from approvals.eligibility import reads_sensitive

#: Words are looked for in the newest runs only: no index answers for a part of a word.
MOST_READ: Final = 20_000
#: Of words that are looked for, no more count.
MOST_WORDS: Final = 8
#: Of people of one name, no more count.
MOST_PEOPLE: Final = 50


class _Holds(Func):
    """Whether a JSON path leads to anything."""

    function = "jsonb_path_exists"
    template = "%(function)s(%(expressions)s::jsonpath)"
    output_field = BooleanField()


@dataclass(frozen=True)
class RunFilters:
    """Empty values ask for nothing. `since` and `until` are days, both included."""

    states: frozenset[RunState] | None = None
    agent: str = ""
    person: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    words: str = ""


@dataclass(frozen=True)
class Found:
    """The runs that fit; `looked_through_since`: words were looked for in no older ones."""

    runs: QuerySet[Run]
    looked_through_since: dt.datetime | None = None


def found_among(runs: QuerySet[Run], filters: RunFilters, caller: Caller) -> Found:
    """Those that fit. A query for people of the name that is asked for, and one where words are."""
    if filters.states is not None:
        runs = runs.filter(state__in=filters.states)
    if filters.agent:
        runs = runs.filter(agent__slug=filters.agent)
    if filters.person:
        runs = runs.filter(initiator__in=_people(filters.person))
    if filters.since:
        runs = runs.filter(created_at__gte=_midnight(filters.since))
    if filters.until:
        runs = runs.filter(created_at__lt=_midnight(filters.until + dt.timedelta(days=1)))
    if not filters.words:
        return Found(runs)
    if (known := _id(filters.words)) is not None:
        return Found(runs.filter(pk=known))
    horizon = _horizon(filters)
    if horizon is not None:
        runs = runs.filter(created_at__gte=horizon)
    return Found(_saying(runs, filters.words, caller), horizon)


def _id(words: str) -> UUID | None:
    """The id of a run, with hyphens or, as its trace is called, without."""
    try:
        return UUID(words.strip())
    except ValueError:
        return None


def _people(name: str) -> list[int]:
    """Those who are called so, or in part."""
    found = User.objects.filter(Q(username__icontains=name) | Q(display_name__icontains=name))
    return list(found.order_by("username").values_list("pk", flat=True)[:MOST_PEOPLE])


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))


def _horizon(filters: RunFilters) -> dt.datetime | None:
    """When the last of the runs that are looked through was started; None where all of them are."""
    rows = Run.objects.newest_first()
    if filters.until:
        rows = rows.filter(created_at__lt=_midnight(filters.until + dt.timedelta(days=1)))
    oldest = rows.values_list("created_at", flat=True)[MOST_READ : MOST_READ + 1].first()
    return (
        oldest if filters.since is None or (oldest and oldest > _midnight(filters.since)) else None
    )


def _saying(runs: QuerySet[Run], words: str, caller: Caller) -> QuerySet[Run]:
    """Those whose task or agent holds every word. A task that may repeat a sensitive argument, which the
    caller does not read, is not searched: whether something is found would tell it."""
    open_title: Any = Q()
    if not reads_sensitive(caller, listed=True):
        open_title = Q(agent_version__in=_plain_versions(), delegated_by__isnull=True)
    for word in words.split()[:MOST_WORDS]:
        runs = runs.filter(
            (open_title & Q(title__icontains=word)) | Q(agent__title__icontains=word)
        )
    return runs


def _plain_versions() -> QuerySet[AgentVersion]:
    """Versions without sensitive arguments that hand no work to others, as recorded and as installed now."""
    guarded = [
        agent.slug
        for agent in registry.all_agents()
        if agent.delegates or any(tool.get("sensitive") for tool in agent.definition["tools"])
    ]
    return AgentVersion.objects.exclude(slug__in=guarded).filter(
        ~_Holds("definition", Value("$.tools[*].sensitive[*]")),
        ~_Holds("definition", Value("$.delegates[*]")),
    )

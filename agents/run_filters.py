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
from agents.models import AgentVersion, HostedAgent, Run
from agents.models.run import RunQuerySet, sees_all_runs
from agents.states import RunState
from approvals.eligibility import reads_sensitive

#: Words are looked for in the newest runs only: no index answers for a part of a word.
MOST_READ: Final = 5_000
#: Of agents and people whose runs the reader does not see as such, no more are looked through for those that
#: asked for something that the reader may see.
MOST_ASKED: Final = 500
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
    """Empty values ask for nothing. `since` and `until` are days, both included. `simulated`: these alone, or none
    of them."""

    states: frozenset[RunState] | None = None
    agent: str = ""
    person: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    words: str = ""
    simulated: bool | None = None


@dataclass(frozen=True)
class Found:
    """The runs that fit, those of one agent in the order of `newest_of`; `looked_through_since`: no older ones were
    looked through."""

    runs: RunQuerySet
    looked_through_since: dt.datetime | None = None


def found_among(runs: RunQuerySet, filters: RunFilters, caller: Caller) -> Found:
    """Those of the runs that fit, of all that there are. A query for the agent and one for people where these
    are asked for, and one where not all runs are looked through."""
    asked = Run.objects.all()
    # By key and not by name, which would tell PostgreSQL nothing of how many there are.
    hosted = HostedAgent.objects.filter(slug=filters.agent).first() if filters.agent else None
    people = _people(filters.person) if filters.person else None
    if filters.states is not None:
        asked = asked.filter(state__in=filters.states)
    if filters.agent:
        asked = asked.newest_of(hosted.pk) if hosted else asked.none()
    if people is not None:
        asked = asked.filter(initiator__in=people)
    if filters.since:
        asked = asked.filter(created_at__gte=_midnight(filters.since))
    if filters.until:
        asked = asked.filter(created_at__lt=_midnight(filters.until + dt.timedelta(days=1)))
    if filters.simulated is not None:
        asked = asked.filter(simulated=filters.simulated)
    if filters.words and (known := _id(filters.words)) is not None:
        return Found(runs & asked.filter(pk=known))
    foreign = (hosted is not None and not _sees_all_of(hosted, caller)) or (
        people is not None and not (sees_all_runs(caller.user) or people == [caller.user.pk])
    )
    horizon = None
    if people is not None or foreign:
        # Which ones are the newest is told by an index; who started none of a million runs would else be looked
        # for in each of them.
        newest = _newest_first(asked).values_list("pk", "created_at")
        first = list(newest[: MOST_ASKED + 1])
        if foreign or len(first) <= MOST_ASKED:
            horizon = first[MOST_ASKED - 1][1] if len(first) > MOST_ASKED else None
            asked = Run.objects.filter(pk__in=[pk for pk, _ in first[:MOST_ASKED]])
    if filters.words and horizon is None:
        horizon = _horizon(asked)
        asked = asked if horizon is None else asked.filter(created_at__gte=horizon)
    found: RunQuerySet = runs & asked
    return Found(_saying(found, filters.words, caller) if filters.words else found, horizon)


def _sees_all_of(hosted: HostedAgent, caller: Caller) -> bool:
    return sees_all_runs(caller.user) or hosted.owner_group_id in caller.group_ids


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


def _newest_first(asked: RunQuerySet) -> RunQuerySet:
    return asked if asked.ordered else asked.newest_first()


def _horizon(asked: RunQuerySet) -> dt.datetime | None:
    """When the last of the runs that words are looked for in was started; None where all of them are."""
    newest = _newest_first(asked)
    return newest.values_list("created_at", flat=True)[MOST_READ : MOST_READ + 1].first()


def _saying(runs: RunQuerySet, words: str, caller: Caller) -> RunQuerySet:
    """Those whose task or agent holds every word. A task that may repeat a sensitive argument, which the
    caller does not read, is not searched: whether something is found would tell it."""
    open_title: Any = Q()
    if not reads_sensitive(caller, listed=True):
        open_title = Q(agent_version__in=_plain_versions(), delegated_by__isnull=True)
    for word in words.split()[:MOST_WORDS]:
        # Not joined: of runs in the order of an index, the first that fit are enough.
        named = HostedAgent.objects.filter(title__icontains=word).values("pk")
        runs = runs.filter((open_title & Q(title__icontains=word)) | Q(agent__in=named))
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

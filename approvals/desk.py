"""What one person has before them, as one page says it: each list is thought out once, and counted with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property, lru_cache
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from accounts.callers import Caller
from accounts.models import User
from approvals import eligibility, filters, ports, searching
from approvals.decided import MOST_READ, Decided, filters_reach_to, newest_decided
from approvals.filters import NO_FILTERS, Filters
from approvals.lists import (
    MOST_PREPARED,
    STAND_INS,
    WAITING,
    Lists,
    Shape,
    any_reader,
    given_of,
    kind_of,
    with_lists,
)
from approvals.models import MOST_COUNTED, ApprovalRequestQuerySet, Reader, reader_of
from audit.prepared import CountedTo, PreparedValues

#: What filters may be set to is what so many requests of a list are about.
MOST_NAMED: Final = 1000


@dataclass(frozen=True)
class Rest:
    """What is said where no request is open. `others`: how many wait for somebody else, of those the person
    may see; `snoozed`: how many the person put off; `active`: how many runs are under way, asked for where
    nothing waits for the person."""

    waiting: int
    snoozed: int
    others: int
    next_deadline: datetime | None
    last_decided_at: datetime | None
    active: int = 0


class Desk:
    """The lists of one person, for one page: what is said in numbers is asked for in one statement."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    @cached_property
    def reader(self) -> Reader:
        """The person as lists see them."""
        return known_reader(self.caller)

    @cached_property
    def lists(self) -> Lists:
        """As queries, for what is not asked with every page."""
        return Lists(self.reader)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many wait in each list, `mine`, `team` and `snoozed`, as `ApprovalRequestQuerySet.number` counts."""
        known = vars(self).get("_everything") or self._asked("lists")
        return {tab: known[tab] for tab in WAITING}

    @property
    def rest(self) -> Rest:
        """In one statement with `counts`, where those are asked for afterwards; one more where nothing waits."""
        asked = self._everything
        return Rest(
            waiting=asked["team"],
            snoozed=asked["snoozed"],
            others=_others(asked),
            next_deadline=asked["next_deadline"],
            last_decided_at=asked["last_decided_at"],
            active=0 if asked["team"] else _active(self.caller),
        )

    @cached_property
    def elsewhere(self) -> int:
        """How many wait for others or were put off: an empty list is no finished queue."""
        asked = vars(self).get("_everything") or self._asked("elsewhere")
        return _others(asked) + int(asked["snoozed"])

    def decided(self, asked: Filters) -> Decided:
        """The newest of what was decided that fit, one more than are counted; of those that words are looked
        for in, all."""
        known: dict[Filters, Decided] = vars(self).setdefault("_decided", {})
        if asked not in known:
            most = MOST_READ if asked.words else MOST_COUNTED + 1
            known[asked] = newest_decided(self.reader, asked, most=most)
        return known[asked]

    def holding(self, tab: str, asked: Filters) -> list[UUID]:
        """Keys of what of a list fits and holds the words, in its order, one more than are counted."""
        known: dict[tuple[str, Filters], list[UUID]] = vars(self).setdefault("_holding", {})
        if (tab, asked) not in known:
            known[tab, asked] = searching.found(self.reader, tab, asked, reads=self._reads)
        return known[tab, asked]

    def looked_through_since(self, asked: Filters) -> datetime | None:
        """Of a list of what was decided that came to its end: what is older was not looked through."""
        if asked.words and (until := searching.read_to(self.reader, asked)):
            return until
        return filters_reach_to(self.reader) if asked else None

    def fitting(self, tab: str, asked: Filters) -> ApprovalRequestQuerySet:
        """What of a list fits, in its order."""
        rows, reads = self.lists.of(tab), self._reads
        if tab == "decided":
            rows = rows.filter(pk__in=self.decided(asked).among)
        return filters.fitting(rows, asked, person=self.reader.pk, reads=reads)

    def number(self, tab: str, asked: Filters) -> int:
        """How many of a list fit, as `ApprovalRequestQuerySet.number` counts."""
        if not asked and tab in WAITING:
            return self.counts[tab]
        if asked.words:
            return len(self.holding(tab, asked))
        if tab == "decided":
            return len(self.decided(asked).ids)
        counting = _counting(kind_of(self.reader), tab, asked.shape)
        (row,) = counting(*given_of(self.reader), *asked.values)
        return int(row["number"])

    def names(self, tab: str) -> tuple[dict[str, str], set[str]]:
        """The agents of a list with their titles, and its tools; of its first thousand requests."""
        newest = (
            newest_decided(self.reader, NO_FILTERS, most=MOST_NAMED) if tab == "decided" else None
        )
        given = (newest.ids,) if newest else ()
        rows = _naming(kind_of(self.reader), tab)(*given_of(self.reader), *given)
        agents = {row["agent"]: row["agent_title"] or row["agent"] for row in reversed(rows)}
        return agents, {row["tool"] for row in rows if row["tool"]}

    def next_after(
        self, request_id: UUID, tab: str = "team", asked: Filters = NO_FILTERS
    ) -> UUID | None:
        """The first request but this one in a list that waits, of those that fit."""
        if asked.words:
            following = self.fitting(tab, asked).exclude(pk=request_id)
            return following.values_list("pk", flat=True).first()
        first = _first(kind_of(self.reader), tab, asked.shape)
        found = first(*given_of(self.reader), *asked.values, request_id)
        return found[0]["pk"] if found else None

    @property
    def _reads(self) -> bool:
        return eligibility.reads_sensitive(self.caller, listed=True)

    @cached_property
    def _everything(self) -> Mapping[str, Any]:
        return self._asked("everything")

    def _asked(self, what: str) -> Mapping[str, Any]:
        (row,) = _numbers(kind_of(self.reader), what)(*given_of(self.reader))
        return row


def known_reader(caller: Caller) -> Reader:
    """The person as lists see them, with the groups that the caller counts as a member of; among them minus their
    own key, under which what concerns them by name is listed, and which is no group's."""
    reader = reader_of(caller.user)
    assert reader is not None, "who is signed in is active"
    groups, own = [*sorted(caller.group_ids), -reader.pk], sorted(caller.own_group_ids)
    lent = any(absent is not None for _, absent in caller.memberships)
    return replace(reader, groups=groups, own_groups=own, stands_in=lent)


def _active(caller: Caller) -> int:
    return ports.runs().active(caller, most=MOST_COUNTED + 1)


@cache
def _numbers(kind: Shape, what: str) -> PreparedValues:
    """One statement for the readers of a kind. Making it takes Django longer than PostgreSQL takes to answer it,
    so each is made once."""

    def build(person: int, group: int, own: int) -> QuerySet[Any, dict[str, Any]]:
        lists = Lists(any_reader(kind, person, group, own))
        asked = lists.counted()
        if what in ("elsewhere", "everything"):
            asked |= lists.visible()
        if what == "everything":
            asked |= lists.moments()
        # The person's own row is what the values stand beside.
        rows: QuerySet[Any, dict[str, Any]] = User.objects.filter(pk=person).values(**asked)
        return rows

    return PreparedValues(build, *STAND_INS, rewrite=with_lists)


@lru_cache(maxsize=MOST_PREPARED)
def _counting(kind: Shape, tab: str, shape: Filters) -> PreparedValues:
    """How many of a list fit."""

    def build(person: int, group: int, own: int, *values: Any) -> QuerySet[Any, dict[str, Any]]:
        rows = Lists(any_reader(kind, person, group, own)).of(tab)
        fit = filters.fitting(rows, shape, person=person, reads=False, values=values)
        counted: QuerySet[Any, dict[str, Any]] = User.objects.filter(pk=person).values(
            number=CountedTo(fit, MOST_COUNTED + 1)
        )
        return counted

    return PreparedValues(build, *STAND_INS, *filters.STAND_INS, rewrite=with_lists)


@lru_cache(maxsize=MOST_PREPARED)
def _first(kind: Shape, tab: str, shape: Filters) -> PreparedValues:
    """The first of a list that waits, but for one."""

    def build(person: int, group: int, own: int, *values: Any) -> QuerySet[Any, dict[str, Any]]:
        lists, (*asked, but) = Lists(any_reader(kind, person, group, own)), values
        fit = filters.fitting(lists.of(tab), shape, person=person, reads=False, values=tuple(asked))
        found: QuerySet[Any, Any] = fit.exclude(pk=but).values("pk")[:1]
        return found

    but = UUID(int=0)
    return PreparedValues(build, *STAND_INS, *filters.STAND_INS, but, rewrite=with_lists)


@cache
def _naming(kind: Shape, tab: str) -> PreparedValues:
    """What the first requests of a list are about."""

    def build(person: int, group: int, own: int, *among: UUID) -> QuerySet[Any, dict[str, Any]]:
        rows = Lists(any_reader(kind, person, group, own)).of(tab)
        if among:
            rows = rows.filter(pk__in=among)
        named: QuerySet[Any, Any] = rows.values("agent", "agent_title", "tool")
        return named[:MOST_NAMED]

    among = (UUID(int=0),) if tab == "decided" else ()
    return PreparedValues(build, *STAND_INS, *among, rewrite=with_lists)


def _others(asked: Mapping[str, Any]) -> int:
    """How many wait for somebody else: all that the person sees but what waits for them, now or later. Where
    that was not all counted, the others are not either."""
    own = int(asked["team"]) + int(asked["snoozed"])
    if own > MOST_COUNTED:
        return 0
    return max(0, min(int(asked["visible"]), own + MOST_COUNTED + 1) - own)

"""What one person has before them, as one page says it: each list is thought out once, and counted with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property, lru_cache
from typing import Any, Final
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Greatest

from accounts.callers import Caller
from accounts.models import ReviewGroup, User
from approvals import eligibility, filters, ports
from approvals.decided import MOST_READ, Decided, filters_reach_to, newest_decided
from approvals.filters import NO_FILTERS, Filters
from approvals.models import (
    MOST_COUNTED,
    ApprovalRequest,
    ApprovalRequestQuerySet,
    Listing,
    Reader,
    reader_of,
)
from audit.prepared import CountedTo, PreparedValues

#: The lists that wait.
WAITING: Final = ("mine", "team", "snoozed")
#: Stand for a person, a group of theirs, and one that is their own, in what is made once for all.
STAND_INS: Final = (-1, -2, -3)
#: Each shape of filters is a statement of its own; more are not kept.
MOST_PREPARED: Final = 500


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


class Lists:
    """The lists of one person as queries."""

    def __init__(self, reader: Reader) -> None:
        self._requests = ApprovalRequest.objects
        self._reader = reader

    def of(self, tab: str) -> ApprovalRequestQuerySet:
        """The list of this name, in its order."""
        if tab == "decided":
            return self._requests.decided_for(self._reader).last_decided_first()
        # Few are ever claimed by somebody or put off, and an index knows which.
        rows = self._waiting(tab)
        if tab == "team":
            rows = rows.waiting_for(self._reader, in_order=True)
        return rows.by_deadline()

    def _waiting(self, tab: str) -> ApprovalRequestQuerySet:
        match tab:
            case "mine":
                return self._requests.mine(self._reader)
            case "snoozed":
                return self._requests.snoozed(self._reader)
        return self._requests.team(self._reader)

    def counted(self) -> dict[str, Subquery]:
        """How many wait in each list."""
        lists = {tab: self._waiting(tab) for tab in WAITING}
        lists["team"] = lists["team"].waiting_for(self._reader)
        return {tab: CountedTo(rows, MOST_COUNTED + 1) for tab, rows in lists.items()}

    def visible(self) -> dict[str, Subquery]:
        """How many wait that the person may see."""
        reader = self._reader
        most = 2 * MOST_COUNTED + 1
        if reader.reads_everything or reader.groups is None:
            return {"visible": CountedTo(self._requests.visible_to(reader).pending(), most)}
        # What is listed for them; nothing is shown by it.
        listed = Listing.objects.filter(closed_at__isnull=True, reader__in=reader.groups)
        return {"visible": CountedTo(listed.values("request_id").distinct(), most, "request_id")}

    def moments(self) -> dict[str, Subquery]:
        """The first deadline, and the last decision."""
        dated = self.of("team").filter(review_deadline__isnull=False).order_by("review_deadline")
        return {
            "next_deadline": Subquery(dated.values("review_deadline")[:1]),
            "last_decided_at": self._last_decided_at(),
        }

    def _last_decided_at(self) -> Any:
        """Of each of the reader's groups the last, and of those of the person's own."""
        reader, newest = self._reader, Listing.objects.filter(closed_at__isnull=False)
        if reader.reads_everything or reader.groups is None:
            return Subquery(self.of("decided").values("decided_at")[:1])
        last = newest.order_by("-closed_at").values("closed_at")
        of_group = Subquery(last.filter(reader=OuterRef("pk"))[:1])
        groups = ReviewGroup.objects.filter(pk__in=reader.groups).annotate(last=of_group)
        of_groups = groups.order_by(F("last").desc(nulls_last=True)).values("last")[:1]
        own = last.filter(reader=Value(0) - Value(reader.pk))[:1]
        return Greatest(Subquery(of_groups), Subquery(own))


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

    def looked_through_since(self, asked: Filters) -> datetime | None:
        """Of a list of what was decided that came to its end: what is older was not looked through."""
        if asked.words and (until := self.decided(asked).until):
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
            return self.fitting(tab, asked).number()
        if tab == "decided":
            return len(self.decided(asked).ids)
        counting = _counting(kind_of(self.reader), tab, asked.shape)
        (row,) = counting(*given_of(self.reader), *asked.values)
        return int(row["number"])

    def names(self, tab: str) -> tuple[dict[str, str], set[str]]:
        """The agents of a list with their titles, and its tools; of its first thousand requests."""
        given = (self.decided(NO_FILTERS).ids,) if tab == "decided" else ()
        rows = _naming(kind_of(self.reader), tab)(*given_of(self.reader), *given)
        agents = {row["agent"]: row["agent_title"] or row["agent"] for row in reversed(rows)}
        return agents, {row["tool"] for row in rows if row["tool"]}

    def next_after(
        self, request_id: UUID, tab: str = "team", asked: Filters = NO_FILTERS
    ) -> UUID | None:
        """The first request but this one in a list that waits, of those that fit."""
        following = self.fitting(tab, asked).exclude(pk=request_id)
        return following.values_list("pk", flat=True).first()

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


Shape = tuple[bool, bool, bool]


def kind_of(reader: Reader) -> Shape:
    """What the shape of a reader's statements depends on."""
    return reader.reads_everything, reader.decides, reader.stands_in


def given_of(reader: Reader) -> tuple[int, Sequence[int], Sequence[int]]:
    """What their statements are given."""
    return reader.pk, list(reader.groups or ()), list(reader.own_groups or ())


def any_reader(kind: Shape, person: int, group: int, own: int) -> Reader:
    """Stands for the readers of a kind in a statement that is made once for all of them."""
    everything, decides, stands_in = kind
    return Reader(person, everything, decides, [group], [own], stands_in)


def with_lists(statement: str) -> str:
    """The one group that stands for a reader's groups is a list of them."""
    return statement.replace("IN (%s)", "= ANY(%s)")


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


@cache
def _naming(kind: Shape, tab: str) -> PreparedValues:
    """What the first requests of a list are about."""

    def build(person: int, group: int, own: int, *among: UUID) -> QuerySet[Any, dict[str, Any]]:
        rows = Lists(any_reader(kind, person, group, own)).of(tab)
        if among:
            rows = rows.filter(pk__in=among)
        named: QuerySet[Any, Any] = rows.values("agent", "agent_title", "tool")
        return named[:MOST_COUNTED]

    among = (UUID(int=0),) if tab == "decided" else ()
    return PreparedValues(build, *STAND_INS, *among, rewrite=with_lists)


def _others(asked: Mapping[str, Any]) -> int:
    """How many wait for somebody else: all that the person sees but what waits for them, now or later. Where
    that was not all counted, the others are not either."""
    own = int(asked["team"]) + int(asked["snoozed"])
    if own > MOST_COUNTED:
        return 0
    return max(0, min(int(asked["visible"]), own + MOST_COUNTED + 1) - own)

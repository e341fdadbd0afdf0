"""What one person has before them, as one page says it: each list is thought out once, and counted with the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import IntegerField, QuerySet, Subquery

from accounts.callers import Caller
from accounts.models import User
from approvals.models import MOST_COUNTED, ApprovalRequest, ApprovalRequestQuerySet


class _CountedTo(Subquery):
    """How many rows a query has, up to `most`: counting on would take longer than anybody reads."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()
    empty_result_set_value = 0

    def __init__(self, rows: QuerySet[Any], most: int) -> None:
        super().__init__(rows.order_by().values("pk")[:most])


@dataclass(frozen=True)
class Rest:
    """What is said where no request is open. `others`: how many wait for somebody else, of those the person
    may see; `snoozed`: how many the person put off."""

    waiting: int
    snoozed: int
    others: int
    next_deadline: datetime | None
    last_decided_at: datetime | None


class Desk:
    """The lists of one person, for one page.

    Making one of these queries takes Django longer than PostgreSQL takes to answer it, so each is made once;
    and what is said in numbers is asked for in one statement.
    """

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    @cached_property
    def team(self) -> ApprovalRequestQuerySet:
        """What the person may decide."""
        return ApprovalRequest.objects.team(self.caller.user)

    @cached_property
    def mine(self) -> ApprovalRequestQuerySet:
        """What the person has claimed, or is asked by name."""
        return ApprovalRequest.objects.mine(self.caller.user)

    @cached_property
    def snoozed(self) -> ApprovalRequestQuerySet:
        """What the person wants back later."""
        return ApprovalRequest.objects.snoozed(self.caller.user)

    @cached_property
    def decided(self) -> ApprovalRequestQuerySet:
        """What waits no longer, of what the person may see."""
        return ApprovalRequest.objects.decided_for(self.caller.user)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many wait in each list, `mine`, `team` and `snoozed`, as `ApprovalRequestQuerySet.number` counts."""
        known = vars(self).get("_everything")
        return {name: known[name] for name in self._lists} if known else self._asked(**self._lists)

    @property
    def rest(self) -> Rest:
        """In one statement with `counts`, where those are asked for afterwards."""
        asked = self._everything
        return Rest(
            waiting=asked["team"],
            snoozed=asked["snoozed"],
            others=_others(asked),
            next_deadline=asked["next_deadline"],
            last_decided_at=asked["last_decided_at"],
        )

    @cached_property
    def elsewhere(self) -> int:
        """How many wait for others or were put off: an empty list is no finished queue."""
        asked = vars(self).get("_everything") or self._asked(**self._lists, visible=self._visible)
        return _others(asked) + int(asked["snoozed"])

    def next_after(self, request_id: UUID) -> UUID | None:
        """The first request but this one that the person may decide."""
        following = self.team.by_deadline().exclude(pk=request_id)
        return following.values_list("pk", flat=True).first()

    @cached_property
    def _everything(self) -> Mapping[str, Any]:
        dated = self.team.filter(review_deadline__isnull=False).order_by("review_deadline")
        last = self.decided.last_decided_first()
        return self._asked(
            **self._lists,
            visible=self._visible,
            next_deadline=Subquery(dated.values("review_deadline")[:1]),
            last_decided_at=Subquery(last.values("decided_at")[:1]),
        )

    @cached_property
    def _lists(self) -> Mapping[str, Subquery]:
        lists = {"mine": self.mine, "team": self.team, "snoozed": self.snoozed}
        return {name: _CountedTo(rows, MOST_COUNTED + 1) for name, rows in lists.items()}

    @property
    def _visible(self) -> Subquery:
        waiting = ApprovalRequest.objects.visible_to(self.caller.user).pending()
        return _CountedTo(waiting, 2 * MOST_COUNTED + 1)

    def _asked(self, **what: Subquery) -> dict[str, Any]:
        """These values, in one statement: the person's own row is what they stand beside."""
        return dict(User.objects.filter(pk=self.caller.user.pk).values(**what).get())


def _others(asked: Mapping[str, Any]) -> int:
    """How many wait for somebody else: all that the person sees but what waits for them, now or later. Where
    that was not all counted, the others are not either."""
    own = int(asked["team"]) + int(asked["snoozed"])
    if own > MOST_COUNTED:
        return 0
    return max(0, min(int(asked["visible"]), own + MOST_COUNTED + 1) - own)

"""The lists of one person as queries, and what makes a statement of one once for all readers of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Greatest

from accounts.models import ReviewGroup
from approvals.models import (
    MOST_COUNTED,
    ApprovalRequest,
    ApprovalRequestQuerySet,
    Listing,
    Reader,
)
from audit.prepared import CountedTo

#: The lists that wait.
WAITING: Final = ("mine", "team", "snoozed")
#: Stand for a person, a group of theirs, and one that is their own, in what is made once for all.
STAND_INS: Final = (-1, -2, -3)
#: Each shape of filters is a statement of its own; more are not kept.
MOST_PREPARED: Final = 500


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

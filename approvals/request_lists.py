"""All requests that a person may see, of a period and by how they ended: what figures about them count."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from accounts.callers import Caller
from approvals.desk import known_reader
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet, Vote
from approvals.states import RequestState
from approvals.vocabulary import Kind, Risk, Verdict
from audit.wordings import Words

WAITING: Final = "waiting"
CLOSED: Final = "closed"
STATES: Final = Words({WAITING: "Waiting", CLOSED: "Closed"})
#: From so long on, and up to the next.
AGES: Final = {
    "new": dt.timedelta(0),
    "hour": dt.timedelta(hours=1),
    "day": dt.timedelta(days=1),
    "week": dt.timedelta(days=7),
}
AGE_WORDS: Final = Words(
    {
        "new": "Less than an hour",
        "hour": "One hour to a day",
        "day": "One day to a week",
        "week": "A week or longer",
    }
)
DECIDED: Final = "decided"
WITHDRAWN: Final = "withdrawn"
EDITED: Final = "edited"
APPROVED: Final = "approved"
EXPIRED: Final = "expired"
HOWS: Final = Words(
    {
        DECIDED: "Decided by a person",
        APPROVED: "Approved as proposed",
        EDITED: "Approved with a change",
        "sent_back": "Sent back",
        "rejected": "Rejected",
        "stopped": "Stopped",
        "answered": "Answered",
        "extended": "Limit raised",
        "accepted": "Answer accepted",
        "corrected": "Answer corrected",
        "continued": "Let go on",
        "changed": "Changed",
        "happened": "It happened",
        "did_not": "It did not happen",
        "compensate": "To be undone",
        "returned": "Handed back",
        EXPIRED: "Not decided in time",
        WITHDRAWN: "Withdrawn",
    }
)
DEADLINES: Final = Words({"met": "Before the deadline", "missed": "Deadline missed"})
FAST: Final = dt.timedelta(seconds=3)


@dataclass(frozen=True)
class RequestFilters:
    """Empty values ask for nothing. `since` and `until` are days of UTC on which requests were closed, both
    included. `person`: who gave a verdict; `fast`: an approval of high risk within three seconds of opening it."""

    state: str = CLOSED
    age: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    how: str = ""
    deadline: str = ""
    agent: str = ""
    version: str = ""
    versions: tuple[str, ...] | None = None
    tool: str = ""
    person: int | None = None
    fast: bool = False


def requests_listed(
    filters: RequestFilters, caller: Caller, now: dt.datetime
) -> ApprovalRequestQuerySet:
    """Those that fit, of which the person may see."""
    rows = ApprovalRequest.objects.visible_to(known_reader(caller))
    for name, column in (("agent", "agent"), ("version", "agent_version"), ("tool", "tool")):
        if value := getattr(filters, name):
            rows = rows.filter(**{column: value})
    if filters.versions is not None:
        rows = rows.filter(agent_version__in=filters.versions)
    if filters.state == WAITING:
        return _of_age(rows.pending(), filters.age, now)
    rows = rows.exclude(state=RequestState.PENDING).filter(decided_at__isnull=False)
    if filters.since:
        rows = rows.filter(decided_at__gte=_midnight(filters.since))
    if filters.until:
        rows = rows.filter(decided_at__lt=_midnight(filters.until + dt.timedelta(days=1)))
    if filters.how:
        rows = rows.filter(_closed_as(filters.how))
    if filters.deadline:
        late = Q(resolution__kind=EXPIRED) | Q(decided_at__gt=F("review_deadline"))
        rows = rows.filter(~_closed_as(WITHDRAWN), review_deadline__isnull=False)
        rows = rows.filter(late) if filters.deadline == "missed" else rows.exclude(late)
    if filters.person or filters.fast:
        rows = rows.filter(_voted(filters))
    return rows


def _of_age(rows: ApprovalRequestQuerySet, age: str, now: dt.datetime) -> ApprovalRequestQuerySet:
    if not age:
        return rows
    names = list(AGES)
    later = names[names.index(age) + 1 :]
    if later:
        rows = rows.filter(created_at__gt=now - AGES[later[0]])
    return rows.filter(created_at__lte=now - AGES[age]) if AGES[age] else rows


def _closed_as(how: str) -> Q:
    """As the figures tell it: nobody's decision and no deadline is a withdrawal."""
    by_person = Q(decided_by__isnull=False)
    edited = Q(resolution__data__edited=True)
    if how == DECIDED:
        return by_person
    if how == WITHDRAWN:
        return ~by_person & ~Q(resolution__kind=EXPIRED)
    if how == EXPIRED:
        return Q(resolution__kind=EXPIRED)
    if how in (APPROVED, EDITED):
        return by_person & Q(resolution__kind=APPROVED) & (edited if how == EDITED else ~edited)
    return by_person & Q(resolution__kind=how)


def _voted(filters: RequestFilters) -> Q:
    votes = Vote.objects.filter(request=OuterRef("pk"))
    if filters.person:
        votes = votes.filter(user=filters.person)
    if not filters.fast:
        return Q(Exists(votes))
    quick = Q(opened_at__isnull=True) | Q(created_at__lt=F("opened_at") + FAST)
    votes = votes.filter(quick, verdict__in=[Verdict.APPROVE, Verdict.EDIT])
    return Q(Exists(votes), kind=Kind.ACTION, risk_rank__gte=Risk.HIGH.rank)


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min), dt.UTC)

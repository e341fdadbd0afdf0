"""Requests by words, for the search of every page."""

from __future__ import annotations

from itertools import chain
from typing import Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals import eligibility
from approvals.decided import newest_decided
from approvals.desk import known_reader
from approvals.filters import NO_FILTERS, matching
from approvals.found import Found
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.views.masking import masked

#: How many of the newest decisions are looked through beside what waits.
LOOKED_THROUGH: Final = 1_000


def found_requests(caller: Caller, words: str, *, most: int) -> list[Found]:
    """At most `most` requests that the person may see, those that wait first: with every word in title, agent
    or tool, as in the inbox's filter, or with that id. Of those that were decided only the newest are looked
    through; the list of decided ones finds the others."""
    reader = known_reader(caller)
    visible = ApprovalRequest.objects.visible_to(reader)
    if (known := _id(words)) is not None:
        return [_found(item, caller) for item in visible.filter(pk=known)]
    reads = eligibility.reads_sensitive(caller, listed=True)
    newest = newest_decided(reader, NO_FILTERS, most=LOOKED_THROUGH).among
    # In the order of an index of what waits: in that of all requests a million would be looked at.
    waiting = _first(visible.waiting_for(reader).by_deadline(), words, reads, most)
    decided = visible.exclude(state=RequestState.PENDING).filter(pk__in=newest).newest_first()
    rest = _first(decided, words, reads, most - len(waiting))
    return [_found(item, caller) for item in chain(waiting, rest)]


def _first(
    rows: ApprovalRequestQuerySet, words: str, reads: bool, most: int
) -> list[ApprovalRequest]:
    joined = rows.select_related("decided_by")
    return list(matching(joined, words, reads=reads)[:most]) if most else []


def _found(item: ApprovalRequest, caller: Caller) -> Found:
    masked(item, caller, listed=True)
    waits = item.state == RequestState.PENDING
    stands = gettext("waits for a decision") if waits else standing_of(item).sentence
    return Found(
        str(item.preview["title"]),
        gettext("Request of {agent_title} · {stands}").format(
            agent_title=item.agent_title, stands=stands
        ),
        reverse("request-detail", kwargs={"pk": item.pk}),
    )


def _id(words: str) -> UUID | None:
    try:
        return UUID(words)
    except ValueError:
        return None

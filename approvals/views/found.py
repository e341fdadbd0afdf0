"""Requests by words, for the search of every page."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals import eligibility, searching
from approvals.desk import known_reader
from approvals.filters import Filters
from approvals.found import Found
from approvals.models import ApprovalRequest
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
    look = partial(
        searching.found,
        reader,
        asked=Filters(words=words),
        reads=eligibility.reads_sensitive(caller, listed=True),
        most=most,
    )
    keys = look(tab=searching.ANY_WAITING)
    if len(keys) < most:
        keys += look(tab="decided", read=LOOKED_THROUGH)[: most - len(keys)]
    found = visible.select_related("decided_by").in_bulk(keys) if keys else {}
    return [_found(found[key], caller) for key in keys if key in found]


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

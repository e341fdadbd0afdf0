"""Snooze and wake: a person's own lists leave a request out for a while. Nobody else's change, and no deadline does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals import eligibility, events
from approvals.errors import BadBody, DeadlineTooNear, NotOpen
from approvals.locking import locked_for
from approvals.models import Snooze
from approvals.records import record_request
from approvals.states import RequestState
from approvals.vocabulary import Verdict
from audit.clock import moment_of

MOST_HOURS: Final = 7 * 24
#: How long before its deadline a request is back at the latest.
BACK_BEFORE: Final = timedelta(minutes=30)


def snooze(*, request_id: UUID, hours: int, caller: Caller) -> datetime:
    """Leave the request out of the caller's lists for so many hours, and return until when; for whoever may decide.

    It is back half an hour before its deadline at the latest, and as soon as something else is asked. Raises
    `NotOpen`, `DeadlineTooNear`, `BadBody`.
    """
    with transaction.atomic():
        request = locked_for(request_id, caller)
        groups = list(request.request_groups.select_related("group"))
        eligibility.require(request, groups, caller, Verdict.REJECT)
        if request.state != RequestState.PENDING:
            raise NotOpen(request.state)
        if not 1 <= hours <= MOST_HOURS:
            raise BadBody(
                [
                    {
                        "field": "hours",
                        "message": gettext("a whole number from 1 to {most_hours}").format(
                            most_hours=MOST_HOURS
                        ),
                    }
                ]
            )
        now = moment_of(request)
        until = now + timedelta(hours=hours)
        if request.review_deadline is not None:
            until = min(until, request.review_deadline - BACK_BEFORE)
        if until <= now:
            raise DeadlineTooNear
        Snooze.objects.update_or_create(
            request=request,
            user=caller.user,
            defaults={"revision": request.revision, "until": until},
        )
        record_request(request, "request.snoozed", caller.actor, facts={"until": until})
        events.announce_to_person(request, caller.user.pk, "snoozed")
        return until


def wake(*, request_id: UUID, caller: Caller) -> None:
    """Take the request back into the caller's lists; nothing happens where it was not left out.

    Raises `ScopeMissing` for a token that could not have left it out.
    """
    with transaction.atomic():
        request = locked_for(request_id, caller)
        eligibility.scope_of_initiator(caller)
        gone, _ = Snooze.objects.filter(request=request, user=caller.user).delete()
        if gone:
            record_request(request, "request.woken", caller.actor)
            events.announce_to_person(request, caller.user.pk, "woken")

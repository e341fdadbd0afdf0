"""Extend: move a review deadline, up to the policy's limit, each time on the record."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from accounts.callers import Caller
from approvals import eligibility, events
from approvals.deadlines import halfway, later
from approvals.errors import BadBody, ExtensionLimit, NoDeadline, NotOpen
from approvals.locking import locked_for
from approvals.models import ApprovalRequest
from approvals.records import record_request
from approvals.states import RequestState
from approvals.vocabulary import Verdict
from audit.clock import database_now


def extend(*, request_id: UUID, hours: int, caller: Caller) -> datetime:
    """Move the review deadline by so many hours and return the new one; for whoever may decide.

    They are hours of the request's calendar. A reminder that has not gone out yet goes out at half of the
    time that is left then. Raises `NotOpen`, `NoDeadline`, `ExtensionLimit`.
    """
    with transaction.atomic():
        request = locked_for(request_id, caller)
        groups = list(request.request_groups.select_related("group"))
        eligibility.require(request, groups, caller, Verdict.REJECT)
        if request.state != RequestState.PENDING:
            raise NotOpen(request.state)
        if request.review_deadline is None:
            raise NoDeadline
        if hours < 1:
            raise BadBody([{"field": "hours", "message": gettext("a whole number above zero")}])
        limit = request.needs.extend_limit_hours
        left = max(0, limit - request.extended_hours)
        if hours > left:
            raise ExtensionLimit(limit_hours=limit, left_hours=left)
        before = request.review_deadline
        calendar = request.counts_by
        request.review_deadline = later(before, hours, calendar)
        if request.remind_at is not None and request.reminded_at is None:
            request.remind_at = halfway(database_now(), request.review_deadline, calendar)
        request.extended_hours += hours
        request.version += 1
        ApprovalRequest.objects.filter(pk=request.pk).update(
            review_deadline=request.review_deadline,
            remind_at=request.remind_at,
            extended_hours=request.extended_hours,
            version=request.version,
        )
        record_request(
            request,
            "request.extended",
            caller.actor,
            facts={
                "from_deadline": before,
                "review_deadline": request.review_deadline,
                "seconds": hours * 3_600,
            },
        )
        events.announce(request, "extended", [row.group_id for row in groups])
        return request.review_deadline

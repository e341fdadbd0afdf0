"""Sweep: what the clock does to requests. Safe to run in several processes; one row that fails
never stops it for the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import models, transaction

from approvals import queues
from approvals.asked import deciders, people_of
from approvals.models import ApprovalRequest, FirstMail
from approvals.records import record_request
from approvals.services import expire, policies
from approvals.services.simulate import resume_simulations
from approvals.services.tighten import unchecked
from approvals.states import RequestState
from audit.clock import database_now
from audit.fault_points import reached

BATCH = 200

log = logging.getLogger(__name__)

Candidates = models.QuerySet[ApprovalRequest]


def sweep() -> dict[str, int]:
    """One pass over everything that is due; returns how many of what were moved."""
    now = database_now()
    requests = ApprovalRequest.objects
    return {
        "expired": _each(requests.pending().filter(review_deadline__lte=now), expire.past_deadline),
        "lapsed": _each(
            requests.filter(state=RequestState.APPROVED, execute_by__lte=now),
            expire.past_execution,
        ),
        "released": _each(requests.filter(claim_expires_at__lte=now), expire.past_claim),
        "reminded": _each(_half_time(now), _remind),
        "unjudged": _judge_again(),
        "simulations": resume_simulations(),
        "mailed": _mail_first(now),
    }


def _judge_again() -> int:
    """Have what a newer policy was not asked about judged in the background."""
    if not unchecked(policies.current()).exists():
        return 0
    queues.put_tightening()
    return 1


def _mail_first(now: datetime) -> int:
    """Have people mailed about what was opened, where nobody did, or who began to did not end."""
    if not FirstMail.objects.due(now).exists():
        return 0
    transaction.on_commit(queues.put_first_mails, robust=True)
    return 1


def _each(candidates: Candidates, move: Callable[[UUID], bool]) -> int:
    """Move each candidate in a transaction of its own, in batches by id until there are no more."""
    moved = 0
    last: UUID | None = None
    while True:
        batch = candidates if last is None else candidates.filter(pk__gt=last)
        ids = list(batch.order_by("pk").values_list("pk", flat=True)[:BATCH])
        for pk in ids:
            try:
                moved += move(pk)
                reached("sweep.row_done", move.__name__)
            except Exception:
                # The next pass tries it again; the others must not wait for it.
                log.exception("request %s could not be swept", pk)
        if len(ids) < BATCH:
            return moved
        last = ids[-1]


def _half_time(now: datetime) -> Candidates:
    """Pending requests whose reviewers have let half of the time pass."""
    return ApprovalRequest.objects.pending().filter(
        remind_at__lte=now,
        reminded_at=None,
        review_deadline__gt=now,
        # They were told of it before.
        first_mail=None,
    )


def _remind(request_id: UUID) -> bool:
    with transaction.atomic():
        landed = (
            ApprovalRequest.objects.pending()
            .filter(pk=request_id, reminded_at=None)
            .update(reminded_at=database_now())
        )
        if landed:
            request = ApprovalRequest.objects.get(pk=request_id)
            _tell_reminded(request)
            queues.mail_about(request_id, "reminder", run=request.run_id)
        return bool(landed)


def _tell_reminded(request: ApprovalRequest) -> None:
    groups = list(request.request_groups.select_related("group"))
    people = deciders(request, [row.group_id for row in groups])
    record_request(
        request,
        "request.reminded",
        expire.SWEEPER,
        facts={
            "groups": [row.group.slug for row in groups],
            "asked": people_of(people),
            "review_deadline": request.review_deadline,
        },
    )

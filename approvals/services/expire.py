"""Expire and escalate: what happens when nobody decided, or used an approval, in time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import ReviewGroup
from approvals import events, ports, queues
from approvals.addressing import groups_by_slug
from approvals.asked import Decider, deciders, people_of
from approvals.closing import settle, tell
from approvals.deadlines import start_over
from approvals.models import ApprovalRequest, RequestGroup
from approvals.records import record_request
from approvals.services.claim import drop
from approvals.services.consume import lapse
from approvals.signals import Resolution
from approvals.states import RequestState
from approvals.vocabulary import NEVER_EXPIRE, Expiry, Kind
from audit.actors import Actor
from audit.clock import database_now
from audit.schemas import Outcome

SWEEPER = Actor.system("sweeper")


def past_deadline(request_id: UUID) -> bool:
    """Expire or escalate one request whose deadline is over; False when there is nothing to do."""
    with transaction.atomic():
        request = _due(request_id)
        if request is None or request.state != RequestState.PENDING:
            return False
        now = database_now()
        if request.review_deadline is None or request.review_deadline > now:
            return False
        if _escalated(request, now):
            return True
        if request.kind in NEVER_EXPIRE:
            _wait_on(request)
            return True
        _expire(request, now)
        return True


def past_execution(request_id: UUID) -> bool:
    """Lapse one approval that was not used in time; False when there is nothing to do."""
    with transaction.atomic():
        request = _due(request_id)
        if request is None or request.state != RequestState.APPROVED:
            return False
        now = database_now()
        if request.execute_by is None or request.execute_by > now:
            return False
        lapse(request, actor=SWEEPER, why="too_late", now=now)
        tell(request)
        return True


def past_claim(request_id: UUID) -> bool:
    """End one claim that was not renewed; False when there is nothing to do."""
    with transaction.atomic():
        request = _due(request_id)
        if request is None or request.claim_expires_at is None:
            return False
        if request.claim_expires_at > database_now():
            return False
        drop(request, actor=SWEEPER, why="lease_over")
        return True


def _due(request_id: UUID) -> ApprovalRequest | None:
    """The request under its run's lock; None where somebody else is at it this moment."""
    run_id = ApprovalRequest.objects.filter(pk=request_id).values_list("run_id", flat=True).first()
    if run_id is not None:
        ports.runs().lock(run_id)
    return (
        ApprovalRequest.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .filter(pk=request_id)
        .first()
    )


def _expire(request: ApprovalRequest, now: datetime) -> None:
    settle(
        request,
        RequestState.EXPIRED,
        Resolution("expired", RequestState.EXPIRED, None, {"reason": _why(request)}),
        who="the deadline",
        decided_at=now,
    )
    record_request(
        request,
        "request.expired",
        SWEEPER,
        outcome=Outcome(decision="expire", meaning=_meaning(request)),
        facts={"review_deadline": request.review_deadline},
    )
    events.announce(request, "expired")
    tell(request)


def _why(request: ApprovalRequest) -> str:
    if request.kind == Kind.QUESTION:
        return "Nobody answered in time."
    return "Nobody decided in time, which counts as a no."


def _meaning(request: ApprovalRequest) -> str:
    if request.kind == Kind.QUESTION:
        return "no_answer"
    return "stopped" if request.kind == Kind.BUDGET else "rejected"


def _escalated(request: ApprovalRequest, now: datetime) -> bool:
    """Ask the next group of the chain in which somebody could decide, and give it as long; False at the
    end of the chain."""
    needs = request.needs
    level = request.escalation_level
    if needs.on_expiry != Expiry.ESCALATE or level >= len(needs.escalation):
        return False
    groups = groups_by_slug(needs.escalation[level:])
    passed_over: list[str] = []
    for slug in needs.escalation[level:]:
        people = deciders(request, [groups[slug].pk])
        if people:
            _ask(request, groups[slug], people, passed_over, now)
            return True
        passed_over.append(slug)
    _passed_over(request, passed_over)
    return False


def _ask(
    request: ApprovalRequest,
    group: ReviewGroup,
    people: Sequence[Decider],
    passed_over: Sequence[str],
    now: datetime,
) -> None:
    # A group that was asked already stands in for the others too; what is needed of it stays.
    RequestGroup.objects.update_or_create(
        request=request,
        group=group,
        defaults={"stands_in": True},
        create_defaults={"stands_in": True, "needed": 0},
    )
    before = request.review_deadline
    start_over(request, now)
    request.escalation_level += len(passed_over) + 1
    request.version += 1
    request.save(
        update_fields=[
            *("review_deadline", "remind_at", "reminded_at"),
            *("escalation_level", "version"),
        ]
    )
    _passed_over(request, passed_over)
    record_request(
        request,
        "request.escalated",
        SWEEPER,
        facts={
            "group": group.slug,
            "level": request.escalation_level,
            "asked": people_of(people),
            "from_deadline": before,
            "review_deadline": request.review_deadline,
        },
    )
    events.announce(request, "escalated")
    queues.mail_about(request.pk, "escalated", run=request.run_id)


def _passed_over(request: ApprovalRequest, slugs: Sequence[str]) -> None:
    """Say aloud which groups of the chain were not asked, since nobody in them could decide."""
    for slug in slugs:
        record_request(
            request, "request.passed_over", SWEEPER, facts={"group": slug, "why": "nobody_may"}
        )


def _wait_on(request: ApprovalRequest) -> None:
    """The chain is at its end and this kind never expires: it waits without a deadline."""
    request.review_deadline = None
    request.remind_at = None
    request.version += 1
    request.save(update_fields=["review_deadline", "remind_at", "version"])

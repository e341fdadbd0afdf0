"""Claim and release: "I am looking at this". A lease for others to see, never an authorisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.callers import Caller
from approvals import eligibility, events
from approvals.errors import ClaimHeld, NotOpen
from approvals.locking import locked_for
from approvals.models import ApprovalRequest
from approvals.records import record_request
from approvals.states import RequestState
from approvals.vocabulary import Verdict
from audit.actors import Actor
from audit.clock import database_now


@dataclass(frozen=True)
class Claim:
    """Who holds the claim until when; `taken_from` is the display name of who held it before."""

    request_id: UUID
    holder: str
    expires_at: datetime
    version: int
    taken_from: str | None = None


def claim(*, request_id: UUID, caller: Caller, take_over: bool = False) -> Claim:
    """Claim the request, or renew one's own claim; for whoever may decide it.

    Raises `ClaimHeld` where somebody else holds it, unless `take_over`.
    """
    with transaction.atomic():
        request = locked_for(request_id, caller)
        groups = list(request.request_groups.select_related("group"))
        eligibility.require(request, groups, caller, Verdict.REJECT)
        if request.state != RequestState.PENDING:
            raise NotOpen(request.state)
        now = database_now()
        expires_at = now + timedelta(seconds=settings.COUNTERSIGN.claim_seconds)
        holder = request.claimed_by if _holds(request, now) else None
        renews = holder is not None and holder.pk == caller.user.pk
        taken = holder if holder is not None and not renews else None
        if taken is not None and not take_over:
            until = request.claim_expires_at or now
            raise ClaimHeld(who=taken.get_full_name(), until=until.isoformat())
        if renews:
            # Each half minute while a page is open: nothing that others see has changed.
            ApprovalRequest.objects.filter(pk=request.pk).update(claim_expires_at=expires_at)
        else:
            _change(request, claimed_by=caller.user, claim_expires_at=expires_at)
            facts: dict[str, Any] = {"lease_seconds": int(settings.COUNTERSIGN.claim_seconds)}
            if taken is not None:
                facts["taken_from"] = taken.pk
            record_request(request, "request.claimed", caller.actor, facts=facts)
            events.announce(request, "claimed", [row.group_id for row in groups])
        return Claim(
            request.pk,
            caller.user.get_full_name(),
            expires_at,
            request.version,
            taken.get_full_name() if taken is not None else None,
        )


def release(*, request_id: UUID, caller: Caller) -> None:
    """Give one's own claim back; nothing happens where there is none.

    Raises `ScopeMissing` for a token that could not have claimed it.
    """
    with transaction.atomic():
        request = locked_for(request_id, caller)
        eligibility.scope_of_initiator(caller)
        if request.claimed_by_id == caller.user.pk:
            drop(request, actor=caller.actor, why="released")


def drop(request: ApprovalRequest, *, actor: Actor, why: str) -> None:
    """End the claim on a locked request."""
    _change(request, claimed_by=None, claim_expires_at=None)
    record_request(request, "request.released", actor, facts={"why": why})
    events.announce(request, "released")


def _holds(request: ApprovalRequest, now: datetime) -> bool:
    return request.claim_expires_at is not None and request.claim_expires_at > now


def _change(request: ApprovalRequest, **changes: Any) -> None:
    request.version += 1
    ApprovalRequest.objects.filter(pk=request.pk).update(version=request.version, **changes)
    for name, value in changes.items():
        setattr(request, name, value)

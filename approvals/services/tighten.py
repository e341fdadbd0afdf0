"""Tighten: a policy that was published holds for what waits already, and loosens none of it."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.languages import in_no_language
from approvals import events, ports
from approvals.addressing import named
from approvals.closing import settle, tell
from approvals.errors import Unsatisfiable
from approvals.models import ApprovalRequest
from approvals.policies import PublishedPolicy
from approvals.reasons import sentences
from approvals.records import record_request
from approvals.rejudging import addressed, asks_for_more, judged_again
from approvals.revisions import keep_revision
from approvals.schemas import GateVerdict, Reason, Requirements
from approvals.services import policies
from approvals.showing import show
from approvals.signals import Resolution
from approvals.states import RequestState
from approvals.vocabulary import Kind
from approvals.voting import void
from audit.actors import Actor
from audit.clock import database_now
from audit.schemas import Outcome

POLICY = Actor.system("policy")
BATCH = 200

log = logging.getLogger(__name__)


def tighten_open() -> int:
    """Judge everything that waits by the policy in force now; returns how many became tighter.

    Each request in a transaction of its own. One that cannot be judged is left for the next pass, and
    is judged in any case before a verdict on it is taken.
    """
    published = policies.current()
    tighter = 0
    last: UUID | None = None
    while True:
        batch = unchecked(published)
        if last is not None:
            batch = batch.filter(pk__gt=last)
        ids = list(batch.order_by("pk").values_list("pk", flat=True)[:BATCH])
        for pk in ids:
            try:
                tighter += tighten(request_id=pk)
            except Exception:
                # The others must not wait for it.
                log.exception("request %s could not be judged again", pk)
        if len(ids) < BATCH:
            return tighter
        last = ids[-1]


def unchecked(published: PublishedPolicy) -> QuerySet[ApprovalRequest]:
    """Pending actions that the policy in force has not been asked about."""
    return ApprovalRequest.objects.pending().filter(
        kind=Kind.ACTION, checked_version__lt=published.version
    )


def tighten(*, request_id: UUID) -> bool:
    """Judge one pending action by the policy in force, in its stored context.

    Where that denies it, it is rejected, and its run is told. Where it asks for more, the request gets
    a next revision that asks for both, and its votes are void. Says whether it became tighter.
    """
    with transaction.atomic():
        run_id = (
            ApprovalRequest.objects.filter(pk=request_id).values_list("run_id", flat=True).first()
        )
        if run_id is not None:
            ports.runs().lock(run_id)
        request = (
            ApprovalRequest.objects.select_for_update(of=("self",), no_key=True)
            .filter(pk=request_id, state=RequestState.PENDING, kind=Kind.ACTION)
            .first()
        )
        published = policies.current()
        if request is None or request.checked_version >= published.version:
            return False
        verdict = judged_again(request, published)
        if verdict.denied:
            _deny(request, verdict, published)
            return True
        wanted = _wanted(request, verdict)
        if wanted is None:
            ApprovalRequest.objects.filter(pk=request.pk).update(checked_version=published.version)
            return False
        _ask_for_more(request, wanted, verdict, published)
        return True


def _wanted(request: ApprovalRequest, verdict: GateVerdict) -> Requirements | None:
    """What the policy of now asks for, where that is more than the request does."""
    if verdict.requirements is None:
        return None
    owner = request.owner_group.slug if request.owner_group else None
    wanted = named(verdict.requirements, owner)
    return wanted if asks_for_more(wanted, request.needs) else None


def _deny(request: ApprovalRequest, verdict: GateVerdict, published: PublishedPolicy) -> None:
    # What the agent is told is kept, whoever's page made the policy count.
    with in_no_language():
        why = " ".join(sentences(verdict.reasons)) or "The policy of now denies this action."
    _judged_by(request, verdict, published)
    settle(
        request,
        RequestState.REJECTED,
        Resolution("rejected", RequestState.REJECTED, None, {"reason": why}),
        who=f"policy {published.version}",
        decided_at=database_now(),
        feedback=why,
        policy_version=request.policy_version,
        policy_sha256=request.policy_sha256,
        rule=request.rule,
        checked_version=published.version,
    )
    record_request(
        request,
        "request.decided",
        POLICY,
        outcome=Outcome(decision="reject", meaning="rejected", reason_code="policy_denies"),
        facts={"state": RequestState.REJECTED.value, "why": "policy_denies"},
        content=True,
    )
    events.announce(request, "decided")
    tell(request)


def _ask_for_more(
    request: ApprovalRequest,
    wanted: Requirements,
    verdict: GateVerdict,
    published: PublishedPolicy,
) -> None:
    try:
        needs = request.needs.plus(wanted).counted_like(request.needs)
        request.requirements = needs.model_dump(mode="json")
        addressed(request, list(request.request_groups.select_related("group")), needs)
    except Unsatisfiable:
        # Publishing looks for the groups; one that is gone since leaves nobody who could decide.
        log.warning("policy %s names a group that is gone", published.version)
        raise
    with in_no_language():
        because = sentences(verdict.reasons)
    reason = Reason(
        code="policy_tighter", params={"version": published.version, "because": because}
    )
    void(request, database_now())
    _judged_by(request, verdict, published)
    request.threshold_bp = verdict.threshold_bp
    request.undo_seconds = needs.undo_seconds or 0
    request.reasons = [
        *(each for each in request.reasons if each.get("code") != reason.code),
        reason.model_dump(mode="json"),
    ]
    request.revision += 1
    request.version += 1
    shown, request.shown_sha256 = show(request)
    request.save()
    keep_revision(request, shown, why=reason.code)
    record_request(
        request,
        "request.tightened",
        POLICY,
        outcome=Outcome(decision="review", reason_code=reason.code),
        facts={"why": reason.code, "groups": [need.group for need in needs.groups]},
        content=True,
    )
    events.announce(request, "edited")


def _judged_by(request: ApprovalRequest, verdict: GateVerdict, published: PublishedPolicy) -> None:
    request.policy_version, request.policy_sha256 = published.version, published.sha256
    request.checked_version = published.version
    request.rule = verdict.rule or request.rule

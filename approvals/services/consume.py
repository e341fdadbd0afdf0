"""Consume: spend an approval, once, immediately before its call is dispatched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import DateTimeField, Func, OuterRef

from accounts.languages import in_no_language
from approvals import events, ports
from approvals.addressing import groups_by_slug, named
from approvals.closing import settle
from approvals.errors import NotConsumable, RequestUnknown
from approvals.models import ApprovalRequest, RequestGroup
from approvals.reasons import sentences
from approvals.records import record_request
from approvals.rejudging import addressed, asks_for_more, judged_again
from approvals.schemas import Reason, Requirements
from approvals.services import policies
from approvals.services.reopen import reopen
from approvals.signals import Resolution
from approvals.standing import standing_of
from approvals.states import RequestState
from approvals.voting import tally
from audit.actors import Actor
from audit.recorder import NoTransaction
from audit.schemas import Outcome
from audit.statements import rows


@dataclass(frozen=True)
class Consumed:
    """What came of it. Only `consumed` may be dispatched.

    `lapsed` (too late, or denied by the policy of now) and `reopened` (waits for people again)
    have changed the request: the caller commits and tells the agent, or parks. `sentence` says why.
    """

    outcome: Literal["consumed", "lapsed", "reopened"]
    request: ApprovalRequest
    sentence: str
    at: datetime

    @property
    def ok(self) -> bool:
        """True when the call may be dispatched."""
        return self.outcome == "consumed"


def consume(*, request_id: UUID, revision: int, digest: str, actor: Actor) -> Consumed:
    """Spend the approval of exactly this revision and digest, inside the caller's transaction,
    which holds the run's lock and writes the dispatch intent.

    Raises `NotConsumable` where there is no such approval (other state, revision or digest, undo
    time not over, kill switch): nothing has changed then. The policy is looked at again on the
    stored context and may only have become tighter.
    """
    if not connection.in_atomic_block:
        raise NoTransaction
    request, now, asked = _locked(request_id)
    _check(request, revision, digest, now)
    if request.execute_by is not None and request.execute_by <= now:
        return lapse(request, actor=actor, why="too_late", now=now)
    tighter = _tighter(request, actor, now)
    if tighter is not None:
        return tighter
    changed = {"digest": digest, "revision": revision}
    landed = ApprovalRequest.objects.filter(**changed).move(request.pk, RequestState.CONSUMED)
    if not landed:
        raise NotConsumable("The approval is gone.", state=request.state)
    request.state = RequestState.CONSUMED
    request.version += 1
    events.announce(request, "consumed", asked)
    return Consumed("consumed", request, "The approval is spent.", now)


# All that `consume` looks at, as conditions of one statement. Whatever does not hold, it says why.
_SPEND = """
UPDATE approvals_approvalrequest AS request
   SET state = 'consumed', version = request.version + 1
 WHERE request.id = %s AND request.state = 'approved'
   AND request.revision = %s AND request.digest = %s
   AND request.ready_at <= clock_timestamp()
   AND (request.execute_by IS NULL OR request.execute_by > clock_timestamp())
   AND request.policy_version = (
       SELECT max(number) FROM approvals_policyversion WHERE state = 'published')
RETURNING request.version, request.run_id, request.owner_group_id, request.initiator_id,
    array(SELECT group_id FROM approvals_requestgroup WHERE request_id = request.id)
"""


def consume_plainly(*, request_id: UUID, revision: int, digest: str, stopped: bool) -> bool:
    """Spend the approval in one statement where nothing has changed since it was given; else False,
    with nothing changed: `consume` then finds out what to do.

    Like `consume`, inside the caller's transaction, which holds the run's lock and writes the intent. `stopped`:
    whether a kill switch holds the call, as the caller has read in this transaction so that none is set before it ends.
    """
    if not connection.in_atomic_block:
        raise NoTransaction
    if stopped:
        return False
    spent = rows(_SPEND, [request_id, revision, digest])
    if not spent:
        return False
    version, *concerned = spent[0]
    events.announce_to(
        events.Concerned(*concerned),
        {"topic": "request", "id": str(request_id), "version": version, "kind": "consumed"},
    )
    return True


def lapse(request: ApprovalRequest, *, actor: Actor, why: str, now: datetime) -> Consumed:
    """End a locked approval that may not be used any more; `why` is a code."""
    sentence = {
        "too_late": "The approval was not used in time.",
        "policy_denies": "The policy of now denies this action.",
    }.get(why, why)
    settle(
        request,
        RequestState.LAPSED,
        Resolution("lapsed", RequestState.LAPSED, None, {"why": why, "reason": sentence}),
        who="the policy" if why == "policy_denies" else "the clock",
        decided_at=request.decided_at or now,
    )
    record_request(
        request,
        "approval.lapsed",
        actor,
        outcome=Outcome(decision="lapse", reason_code=why),
        facts={"why": why, "execute_by": request.execute_by},
    )
    events.announce(request, "lapsed")
    return Consumed("lapsed", request, sentence, now)


def _locked(request_id: UUID) -> tuple[ApprovalRequest, datetime, list[int]]:
    """The request under lock, the moment, and the groups to tell, in one round trip: this stands
    between an approval and its effect."""
    asked = RequestGroup.objects.filter(request=OuterRef("pk")).values("group_id")
    request = (
        ApprovalRequest.objects.select_for_update(of=("self",), no_key=True)
        .annotate(
            read_at=Func(function="clock_timestamp", output_field=DateTimeField()),
            asked=ArraySubquery(asked),
        )
        .filter(pk=request_id)
        .first()
    )
    if request is None:
        raise RequestUnknown(request_id)
    annotated = vars(request)
    return request, annotated["read_at"], annotated["asked"]


def _check(request: ApprovalRequest, revision: int, digest: str, now: datetime) -> None:
    if request.state != RequestState.APPROVED:
        raise NotConsumable(
            f"This call has no approval that could be used: {standing_of(request).sentence}.",
            state=request.state,
        )
    if request.revision != revision or request.digest != digest:
        raise NotConsumable(
            "The approval is for another call than this one.",
            state=request.state,
            revision=request.revision,
            digest=request.digest,
        )
    if request.ready_at is None or request.ready_at > now:
        raise NotConsumable(
            "The approval can still be taken back; wait until that time is over.",
            state=request.state,
            ready_at=request.ready_at.isoformat() if request.ready_at else None,
        )
    stopped = ports.runs().stopped(request.agent, request.tool)
    if stopped:
        raise NotConsumable(stopped, state=request.state, stopped=True)


def _tighter(request: ApprovalRequest, actor: Actor, now: datetime) -> Consumed | None:
    """Apply a policy published since, to the stored context; None when it is no tighter."""
    published = policies.current()
    if published.version == request.policy_version or not request.policy_version:
        return None
    verdict = judged_again(request, published)
    if verdict.denied:
        request.policy_version, request.policy_sha256 = published.version, published.sha256
        ApprovalRequest.objects.filter(pk=request.pk).update(
            policy_version=published.version, policy_sha256=published.sha256
        )
        return lapse(request, actor=actor, why="policy_denies", now=now)
    if verdict.requirements is None:
        return None
    owner = request.owner_group.slug if request.owner_group else None
    wanted = named(verdict.requirements, owner).counted_like(request.needs)
    if not _lacks(request, wanted):
        return None
    # What was asked for before is still asked for: a tighter policy adds to it.
    needs = request.needs.plus(wanted).counted_like(request.needs)
    addressed(request, list(request.request_groups.select_related("group")), needs)
    with in_no_language():
        because = sentences(verdict.reasons)
    reason = Reason(
        code="policy_tighter", params={"version": published.version, "because": because}
    )
    reopened = reopen(
        request,
        actor=actor,
        reason=reason,
        requirements=needs.model_dump(mode="json"),
        policy_version=published.version,
        policy_sha256=published.sha256,
        checked_version=published.version,
        rule=verdict.rule,
        threshold_bp=verdict.threshold_bp,
        undo_seconds=needs.undo_seconds or 0,
    )
    return Consumed("reopened", reopened, "The policy of now asks for more people.", now)


def _lacks(request: ApprovalRequest, wanted: Requirements) -> bool:
    """Whether the approvals given would not do, or a stronger confirmation is asked for."""
    groups = groups_by_slug(need.group for need in wanted.groups)
    rows = [
        RequestGroup(request=request, group=groups[need.group], needed=need.count)
        for need in wanted.groups
    ]
    stand_ins = list(request.request_groups.filter(stands_in=True))
    for row in stand_ins:
        # What is wanted of it stands in the rows above.
        row.needed = 0
    missing = tally(request, [*rows, *stand_ins]).missing
    asked = request.needs
    confirmed = asks_for_more(wanted.model_copy(update={"groups": asked.groups}), asked)
    return bool(missing) or confirmed

"""Decide: one person's verdict on one request, in one transaction. Every path goes through here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.callers import Caller
from accounts.confirmations import Confirmation
from approvals import bodies, chips, eligibility, events, ports
from approvals.closing import Approval, approve, close
from approvals.counted import DECISION_SECONDS, REVIEW_SECONDS
from approvals.deadlines import require_in_time
from approvals.errors import (
    AlreadyVoted,
    BadBody,
    ContentChanged,
    NonceReused,
)
from approvals.locking import is_judged_by_now, locked_for
from approvals.models import ApprovalRequest, RequestGroup, Vote
from approvals.records import record_request, stream_of
from approvals.schemas import DecisionIn
from approvals.services.edit import edit
from approvals.services.tighten import tighten
from approvals.standing import already_decided
from approvals.states import Consequence, RequestState
from approvals.told_secrets import secrets_told
from approvals.vocabulary import Kind, Verdict
from approvals.voting import Ballot, groups_of, votes_on
from audit import log_ids, tracing
from audit.clock import database_now, moment_of, one_moment
from audit.errors import NotFound, Refusal
from audit.fault_points import reached
from audit.keyring import at_hand
from audit.services.refusals import record_refusal
from audit.writes import insert


@dataclass(frozen=True)
class Decided:
    """What came of a decision.

    `state`, `revision` and `version` are the request's after it; `remaining` names the groups that
    are still needed and how many people of each; `ready_at` is when an approval may be used. A
    repeated nonce gets the first answer, with `replayed` set.
    """

    request_id: UUID
    vote_id: UUID
    verdict: Verdict
    state: RequestState
    revision: int
    version: int
    decided_at: datetime
    ready_at: datetime | None
    remaining: dict[str, int]
    replayed: bool = False


def decide(
    *,
    request_id: UUID,
    decision: DecisionIn,
    caller: Caller,
    second_factor: Confirmation | None = None,
    together: int = 1,
) -> Decided:
    """Take the verdict, or raise the refusal that says why not; then nothing has changed.

    `second_factor` is when, and with what, the caller last confirmed in this session;
    `together` with how many requests, this one included, it was given at once. A refusal is recorded
    in a transaction of its own.
    """
    try:
        while True:
            try:
                return _in_one_transaction(request_id, decision, caller, second_factor, together)
            except _Unjudged:
                # Once for each policy that is published meanwhile.
                tighten(request_id=request_id)
    except NotFound:
        raise
    except Refusal as refusal:
        record_refused(request_id, decision, caller, refusal)
        raise


class _Unjudged(Exception):
    """A policy was published since the request was judged, so that is done first."""


def _in_one_transaction(
    request_id: UUID,
    decision: DecisionIn,
    caller: Caller,
    second_factor: Confirmation | None,
    together: int,
) -> Decided:
    with transaction.atomic(), at_hand():
        decided = _decide(request_id, decision, caller, second_factor, together)
        reached("decision.before_commit")
        return decided


def _decide(
    request_id: UUID,
    decision: DecisionIn,
    caller: Caller,
    second_factor: Confirmation | None,
    together: int,
) -> Decided:
    request = locked_for(request_id, caller)
    if request.state == RequestState.PENDING and not is_judged_by_now(request):
        raise _Unjudged
    facts: tracing.Facts = {
        "countersign.request.kind": request.kind,
        "countersign.request.id": str(request.pk),
        "countersign.request.revision": request.revision,
        "countersign.decision.verdict": decision.verdict.value,
    }
    with (
        one_moment(moment_of(request)),
        log_ids.beside(**({"run": str(request.run_id)} if request.run_id else {})),
        tracing.span("decide", facts, run=request.run_id) as made,
    ):
        decided = _decide_locked(request, decision, caller, second_factor, together)
        made.set_attribute("countersign.request.state", decided.state.value)
        return decided


def _decide_locked(
    request: ApprovalRequest,
    decision: DecisionIn,
    caller: Caller,
    second_factor: Confirmation | None,
    together: int,
) -> Decided:
    groups = groups_of(request)
    eligibility.require(request, groups, caller, decision.verdict)

    body_sha256 = bodies.digest_of(decision)
    votes = votes_on(request)
    own = [vote for vote in votes if vote.user_id == caller.user.pk]
    earlier = next((vote for vote in own if vote.nonce == decision.nonce), None)
    if earlier is not None:
        if earlier.body_sha256 != body_sha256:
            raise NonceReused
        return _replayed(request, earlier)
    if request.state != RequestState.PENDING:
        raise already_decided(request)
    now = database_now()
    require_in_time(request, now)
    _check_seen(request, decision)
    if decision.verdict == Verdict.APPROVE and any(vote.counts for vote in own):
        raise AlreadyVoted

    if told := secrets_told(decision):
        raise BadBody(told)
    consequence = bodies.consequence_of(Kind(request.kind), decision, request.question)
    given = bodies.checked(decision, consequence, request.question)
    chip = chips.picked(decision)
    if decision.verdict in eligibility.APPROVING:
        errors = eligibility.require_friction(
            request,
            caller,
            typed=decision.typed,
            second_factor=second_factor,
            now=now,
        )
        if errors:
            raise BadBody(errors)
    ballot = Ballot(
        caller=caller,
        decision=decision,
        body_sha256=body_sha256,
        now=now,
        opened_at=eligibility.opened_at(request, caller),
        on_behalf_of=eligibility.on_behalf_of(request, groups, caller),
        chip=chip,
        second_factor=second_factor,
        together=together,
    )
    return _take(request, groups, votes, ballot, consequence, given)


def _take(
    request: ApprovalRequest,
    groups: Sequence[RequestGroup],
    votes: Sequence[Vote],
    ballot: Ballot,
    consequence: Consequence,
    given: dict[str, Any],
) -> Decided:
    verdict = ballot.decision.verdict
    remaining: dict[str, int] = {}
    if verdict == Verdict.EDIT:
        groups, vote, counts = edit(request, groups, ballot, given)
        if counts:
            # The edited call may ask for what the one before did not.
            eligibility.require_second_factor(request, ballot.second_factor, ballot.now)
        outcome = approve(request, groups, ballot, vote, counts=counts)
        remaining = _told(request, ballot, vote, outcome)
    elif verdict == Verdict.APPROVE:
        vote = ballot.vote(request, counts=True)
        outcome = approve(request, groups, ballot, vote, votes=votes)
        remaining = _told(request, ballot, vote, outcome)
    else:
        if verdict == Verdict.CORRECT:
            given["output"] = ports.runs().validate_answer(
                request.agent, request.agent_version, given["output"]
            )
        vote = ballot.vote(request)
        close(request, ballot, vote, consequence, given)
        events.announce(request, "decided", [row.group_id for row in groups])
    decided = Decided(
        request_id=request.pk,
        vote_id=vote.pk,
        verdict=verdict,
        state=RequestState(request.state),
        revision=request.revision,
        version=request.version,
        decided_at=ballot.now,
        ready_at=request.ready_at,
        remaining=remaining,
    )
    vote.answer = _stored(decided)
    insert(vote)
    transaction.on_commit(partial(_count, request, ballot), robust=True)
    return decided


def _count(request: ApprovalRequest, ballot: Ballot) -> None:
    risk, verdict = str(request.risk), ballot.decision.verdict.value
    waited = (ballot.now - request.created_at).total_seconds()
    DECISION_SECONDS.add(risk, verdict, took=max(0.0, waited))
    if ballot.opened_at is not None:
        looked = (ballot.now - ballot.opened_at).total_seconds()
        REVIEW_SECONDS.add(risk, verdict, took=max(0.0, looked))


def _told(
    request: ApprovalRequest, ballot: Ballot, vote: Vote, outcome: Approval
) -> dict[str, int]:
    """Record the vote where it did not close the request, and tell browsers either way."""
    if not outcome.approved and vote.verdict == Verdict.APPROVE:
        record_request(
            request,
            "request.voted",
            ballot.caller.actor,
            outcome=ballot.outcome("approve"),
            facts={
                **ballot.facts(vote),
                "given": outcome.given,
                "needed": request.needs.people,
            },
            content=True,
            texts={"reason": ballot.decision.reason or ""},
        )
    kind = "decided" if outcome.approved else ("edited" if outcome.edited else "voted")
    events.announce(request, kind, outcome.group_ids)
    return outcome.remaining


def _check_seen(request: ApprovalRequest, decision: DecisionIn) -> None:
    for name in ("revision", "digest", "shown_sha256"):
        if getattr(decision, name) != getattr(request, name):
            raise ContentChanged(
                revision=request.revision,
                digest=request.digest,
                shown_sha256=request.shown_sha256,
                what=name,
            )


def _stored(decided: Decided) -> dict[str, Any]:
    return {
        "state": decided.state.value,
        "revision": decided.revision,
        "version": decided.version,
        "decided_at": decided.decided_at.isoformat(),
        "ready_at": decided.ready_at.isoformat() if decided.ready_at else None,
        "remaining": decided.remaining,
    }


def _replayed(request: ApprovalRequest, vote: Vote) -> Decided:
    answer = vote.answer
    return Decided(
        request_id=request.pk,
        vote_id=vote.pk,
        verdict=Verdict(vote.verdict),
        state=RequestState(answer["state"]),
        revision=answer["revision"],
        version=answer["version"],
        decided_at=datetime.fromisoformat(answer["decided_at"]),
        ready_at=datetime.fromisoformat(answer["ready_at"]) if answer["ready_at"] else None,
        remaining=answer["remaining"],
        replayed=True,
    )


def record_refused(
    request_id: UUID, decision: DecisionIn, caller: Caller, refusal: Refusal
) -> None:
    """Record, in a transaction of its own, that a verdict on a request did not count."""
    request = ApprovalRequest.objects.only("kind", "state", "revision", "run_id").get(pk=request_id)
    record_refusal(
        refusal=refusal,
        type="decision.refused",
        actor=caller.actor,
        stream=stream_of(request_id),
        request=request_id,
        run=request.run_id,
        facts={
            "kind": request.kind,
            "revision": request.revision,
            "verdict": decision.verdict.value,
            "state": request.state,
        },
    )

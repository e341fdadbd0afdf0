"""How a verdict ends a request: approved when enough people have, or closed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from approvals.chips import in_words
from approvals.models import ApprovalRequest, RequestGroup, Vote
from approvals.records import record_request
from approvals.signals import Resolution, request_resolved
from approvals.standing import already_decided
from approvals.states import Consequence, RequestState
from approvals.voting import Ballot, tally


@dataclass(frozen=True)
class Approval:
    """What one approval came to. `remaining` names groups by slug and how many people they lack."""

    approved: bool
    edited: bool
    given: int
    remaining: dict[str, int]
    group_ids: tuple[int, ...]


def approve(
    request: ApprovalRequest,
    groups: Sequence[RequestGroup],
    ballot: Ballot,
    vote: Vote,
    *,
    counts: bool = True,
    votes: Sequence[Vote] | None = None,
) -> Approval:
    """Approve the request if the votes of its current revision meet the requirements.

    With `counts` False (an edit that needs somebody else) nothing is approved. `votes` are those given
    before, where they were read under the lock. Updates `request` in place.
    """
    count = tally(request, groups, ballot.caller if counts else None, votes)
    slugs = {row.group_id: row.group.slug for row in groups}
    remaining = {slugs[group]: number for group, number in count.missing.items()}
    met = counts and not remaining
    if met:
        _approved(request, ballot, vote, votes)
    elif vote.verdict == "approve":
        _touched(request)
    return Approval(
        approved=met,
        edited=vote.verdict == "edit",
        given=count.given,
        remaining=remaining,
        group_ids=tuple(slugs),
    )


def _approved(
    request: ApprovalRequest, ballot: Ballot, vote: Vote, votes: Sequence[Vote] | None
) -> None:
    ready_at = ballot.now + request.undo_window
    minutes = request.needs.execute_by_minutes
    data = {
        "arguments": request.arguments,
        "digest": request.digest,
        "revision": request.revision,
        # So that the agent is told of the call that a person made of its own.
        "edited": request.revision > 1 and request.revisions.filter(editor__isnull=False).exists(),
        **ballot.told({"reason": ballot.decision.reason or ""}),
        "edit_reason": _why_edited([*(votes or ()), vote]),
    }
    settle(
        request,
        RequestState.APPROVED,
        Resolution("approved", RequestState.APPROVED, ready_at, data),
        decided_at=ballot.now,
        decided_by=ballot.caller.user,
        ready_at=ready_at,
        execute_by=ready_at + timedelta(minutes=minutes) if minutes else None,
    )
    facts = {
        **ballot.facts(vote),
        "state": RequestState.APPROVED.value,
        "material": vote.material,
        "needed": request.needs.people,
        "ready_at": ready_at,
        "execute_by": request.execute_by,
        "undo_seconds": int(request.undo_seconds),
    }
    record_request(
        request,
        "request.decided",
        ballot.caller.actor,
        outcome=ballot.outcome(str(vote.verdict), "approved"),
        facts=facts,
        content=True,
        texts={"reason": ballot.decision.reason or ""},
    )
    tell(request)


def _why_edited(votes: Sequence[Vote]) -> str:
    """Why a person changed the arguments, in the words of the last one who did."""
    edits = [vote for vote in votes if vote.verdict == "edit"]
    return in_words(edits[-1].reason_label, edits[-1].reason) if edits else ""


def close(
    request: ApprovalRequest,
    ballot: Ballot,
    vote: Vote,
    consequence: Consequence,
    given: dict[str, Any],
) -> None:
    """Close the request by a verdict that takes one person. Updates `request` in place."""
    told = ballot.told(given)
    resolution = Resolution(consequence.resolution, consequence.state, None, told)
    reason = str(given.get("reason") or given.get("message") or "")
    settle(
        request,
        consequence.state,
        resolution,
        decided_at=ballot.now,
        decided_by=ballot.caller.user,
        feedback=reason,
    )
    record_request(
        request,
        "request.decided",
        ballot.caller.actor,
        outcome=ballot.outcome(str(vote.verdict), consequence.resolution),
        facts={**ballot.facts(vote), "state": consequence.state.value},
        content=True,
        texts={"reason": reason},
    )
    tell(request)


def settle(
    request: ApprovalRequest,
    target: RequestState,
    resolution: Resolution,
    *,
    who: str = "",
    decided_at: datetime,
    **changes: Any,
) -> None:
    """Move the request by conditional update; `AlreadyDecided` when somebody was faster.

    `who` names what closed it where no person did. The claim ends with the request.
    """
    changes |= {
        "decided_at": decided_at,
        "resolution": {
            "kind": resolution.kind,
            "who": who,
            "ready_at": resolution.ready_at.isoformat() if resolution.ready_at else None,
            "data": resolution.data,
        },
        "claimed_by": None,
        "claim_expires_at": None,
    }
    if not ApprovalRequest.objects.move(request.pk, target, **changes):
        request.refresh_from_db()
        raise already_decided(request)
    request.state = target
    request.version += 1
    for name, value in changes.items():
        setattr(request, name, value)


def tell(request: ApprovalRequest) -> None:
    """Tell the run, inside this transaction, how its request ended. The last thing that is done."""
    stored = request.resolution or {}
    request_resolved.send(
        sender=ApprovalRequest,
        request=request,
        resolution=Resolution(
            kind=stored["kind"],
            state=RequestState(request.state),
            ready_at=request.ready_at,
            data=stored["data"],
        ),
    )


def _touched(request: ApprovalRequest) -> None:
    request.version += 1
    ApprovalRequest.objects.filter(pk=request.pk).update(version=request.version)

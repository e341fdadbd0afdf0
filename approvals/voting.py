"""Votes: one person's verdict, and what the approvals given so far add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.callers import Caller
from accounts.models import Membership, User
from approvals import quorum
from approvals.chips import in_words
from approvals.models import ApprovalRequest, ReasonChip, RequestGroup, Vote
from approvals.schemas import DecisionIn
from audit.prepared import Prepared
from audit.schemas import Outcome


@dataclass(frozen=True)
class Ballot:
    """One verdict while it is being taken: who, what, and the database's time."""

    caller: Caller
    decision: DecisionIn
    body_sha256: str
    now: datetime
    opened_at: datetime | None
    chip: ReasonChip | None = None

    def vote(
        self, request: ApprovalRequest, *, counts: bool = False, material: bool = False
    ) -> Vote:
        """The vote on the request's current revision; stored once its outcome is known."""
        return Vote(
            request=request,
            revision=request.revision,
            user=self.caller.user,
            auth=self.caller.auth,
            verdict=self.decision.verdict,
            nonce=self.decision.nonce,
            body_sha256=self.body_sha256,
            digest=self.decision.digest,
            shown_sha256=self.decision.shown_sha256,
            reason=self.decision.reason or self.decision.message or "",
            reason_code=self.chip.code if self.chip else "",
            reason_label=self.chip.label if self.chip else "",
            groups=sorted(self.caller.group_ids),
            counts=counts,
            material=material,
            score_visible=request.score_visible,
            opened_at=self.opened_at,
            active_seconds=self.decision.active_seconds,
            created_at=self.now,
        )

    def outcome(self, decision: str, meaning: str | None = None) -> Outcome:
        """What the log says came of it, with the reason that was picked."""
        code = self.chip.code if self.chip else None
        return Outcome(decision=decision, meaning=meaning, reason_code=code)

    def told(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the run hears: the words of the reason that was picked, then the person's own."""
        if self.chip is None:
            return given
        words = in_words(self.chip.label, str(given.get("reason") or ""))
        picked = {"reason_code": self.chip.code, "reason_label": self.chip.label}
        return {**given, "reason": words, **picked}

    def facts(self, vote: Vote) -> dict[str, Any]:
        """What the log keeps of a vote."""
        opened = int((self.now - self.opened_at).total_seconds()) if self.opened_at else None
        return {
            "vote": vote.pk,
            "verdict": str(self.decision.verdict),
            "score_visible": vote.score_visible,
            "open_seconds": opened,
            "active_seconds": self.decision.active_seconds,
        }


@dataclass(frozen=True)
class Tally:
    """Who has approved the current revision, and who is still needed by group id."""

    given: int
    missing: dict[int, int]


_votes_on = Prepared(lambda pk: Vote.objects.filter(request=pk), UUID(int=0))


_groups_of_request = Prepared(
    lambda pk: RequestGroup.objects.filter(request=pk).select_related("group"), UUID(int=0)
)


def groups_of(request: ApprovalRequest) -> list[RequestGroup]:
    """The groups that may decide the request."""
    return _groups_of_request(request.pk)


def votes_on(request: ApprovalRequest) -> list[Vote]:
    """All votes on the request, the oldest first."""
    return _votes_on(request.pk)


def tally(
    request: ApprovalRequest,
    groups: Sequence[RequestGroup],
    voting: Caller | None = None,
    votes: Sequence[Vote] | None = None,
) -> Tally:
    """Count the approvals of the current revision by the groups people are in now.

    Whoever is no longer active, may no longer decide, or left the groups does not count. `voting`
    is somebody whose approval is being taken and is not stored yet; `votes` are those on the request,
    where the caller has just read them.
    """
    if votes is None:
        votes = votes_on(request)
    people = {vote.user_id for vote in votes if vote.counts and vote.revision == request.revision}
    voters = _groups_of(people)
    if voting is not None:
        voters[voting.user.pk] = set(voting.group_ids)
    if request.needs.exclude_owner:
        voters = {p: g for p, g in voters.items() if request.owner_group_id not in g}
    needs = [(row.group_id, row.needed) for row in groups if not row.stands_in]
    stand_ins = [row.group_id for row in groups if row.stands_in]
    return Tally(given=len(voters), missing=quorum.missing(needs, voters, stand_ins))


def _groups_of(people: set[int]) -> dict[int, set[int]]:
    """The review groups of those of these people who may decide."""
    if not people:
        return {}
    able = User.objects.holding("decide_requests").filter(pk__in=people)
    voters: dict[int, set[int]] = {person: set() for person in able.values_list("pk", flat=True)}
    memberships = Membership.objects.filter(user_id__in=voters)
    for user_id, group_id in memberships.values_list("user_id", "group_id"):
        voters[user_id].add(group_id)
    return voters


def void(request: ApprovalRequest, now: datetime) -> int:
    """Void the approvals given so far; returns how many."""
    return Vote.objects.filter(request=request, counts=True).update(counts=False, voided_at=now)

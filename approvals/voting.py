"""Votes: one person's verdict, and what the approvals given so far add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.callers import Caller
from accounts.confirmations import Confirmation
from accounts.models import EffectiveMembership, User
from approvals import quorum
from approvals.asked import not_stood_in_for
from approvals.chips import in_words
from approvals.models import ApprovalRequest, ReasonChip, RequestGroup, Vote
from approvals.schemas import DecisionIn
from approvals.states import RequestState
from approvals.vocabulary import Friction, Verdict
from audit.prepared import Prepared
from audit.schemas import Outcome


@dataclass(frozen=True)
class Ballot:
    """One verdict while it is being taken: who, what, and the database's time.

    `together`: with how many requests, this one included, it was given at once.
    """

    caller: Caller
    decision: DecisionIn
    body_sha256: str
    now: datetime
    opened_at: datetime | None
    on_behalf_of: tuple[int, ...] = ()
    chip: ReasonChip | None = None
    second_factor: Confirmation | None = None
    together: int = 1

    def vote(
        self, request: ApprovalRequest, *, counts: bool = False, material: bool = False
    ) -> Vote:
        """The vote on the request's current revision; stored once its outcome is known."""
        used = self.second_factor if self._asked(request) else None
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
            on_behalf_of=list(self.on_behalf_of),
            counts=counts,
            material=material,
            score_visible=request.score_visible,
            opened_at=self.opened_at,
            active_seconds=self.decision.active_seconds,
            second_factor=used.method if used else "",
            second_factor_age_seconds=max(0, int((self.now - used.at).total_seconds()))
            if used
            else None,
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

    def _asked(self, request: ApprovalRequest) -> bool:
        """Whether this verdict had to be confirmed."""
        approving = self.decision.verdict in (Verdict.APPROVE, Verdict.EDIT)
        return approving and request.needs.friction == Friction.SECOND_FACTOR

    def facts(self, vote: Vote) -> dict[str, Any]:
        """What the log keeps of a vote."""
        opened = int((self.now - self.opened_at).total_seconds()) if self.opened_at else None
        return {
            "vote": vote.pk,
            "verdict": str(self.decision.verdict),
            "score_visible": vote.score_visible,
            "open_seconds": opened,
            "active_seconds": self.decision.active_seconds,
            "on_behalf_of": [str(person) for person in self.on_behalf_of] or None,
            "second_factor": vote.second_factor or None,
            "second_factor_age_seconds": vote.second_factor_age_seconds,
            "together": self.together if self.together > 1 else None,
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

    Whoever is no longer active, may no longer decide, left the groups, or stood in for somebody who is
    back does not count. Nobody counts by standing in for whoever may not approve it themselves. `voting`
    is somebody whose approval is being taken and is not stored yet; `votes` are those on the request,
    where the caller has just read them.
    """
    if votes is None:
        votes = votes_on(request)
    people = {vote.user_id for vote in votes if vote.counts and vote.revision == request.revision}
    voters = _memberships_of(people)
    if voting is not None:
        voters[voting.user.pk] = set(voting.memberships)
    if request.needs.exclude_owner:
        owner = request.owner_group_id
        voters = {p: held for p, held in voters.items() if owner not in {g for g, _ in held}}
    needs = [(row.group_id, row.needed) for row in groups]
    stand_ins = [row.group_id for row in groups if row.stands_in]
    missing = quorum.missing_among(needs, voters, stand_ins, not_stood_in_for(request))
    return Tally(given=len(voters), missing=missing)


def _memberships_of(people: set[int]) -> dict[int, set[quorum.Held]]:
    """What those of these people who may decide count as members of, as `Caller.memberships`."""
    if not people:
        return {}
    able = User.objects.holding("decide_requests").filter(pk__in=people)
    voters: dict[int, set[quorum.Held]] = {
        person: set() for person in able.values_list("pk", flat=True)
    }
    found = EffectiveMembership.objects.filter(user_id__in=voters)
    for user_id, group_id, absent in found.values_list("user_id", "group_id", "on_behalf_of_id"):
        voters[user_id].add((group_id, absent))
    return voters


def void(request: ApprovalRequest, now: datetime) -> None:
    """Void the approvals given so far."""
    Vote.objects.filter(request=request, counts=True).update(counts=False, voided_at=now)


def wait_again(request: ApprovalRequest, now: datetime) -> bool:
    """Make an approved request pending again, its approvals void; False where it is none any more. It is read anew."""
    landed = ApprovalRequest.objects.move(
        request.pk,
        RequestState.PENDING,
        decided_at=None,
        decided_by=None,
        ready_at=None,
        execute_by=None,
        resolution=None,
    )
    if landed:
        void(request, now)
    request.refresh_from_db()
    return landed

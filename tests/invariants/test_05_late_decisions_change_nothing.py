"""Line 5: whatever closed a request first stands; who comes late changes nothing and is told why."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from approvals.errors import NotConsumable
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import Requirements
from approvals.services.cancel import cancel_requests
from approvals.services.consume import consume, consume_plainly
from approvals.services.decide import decide
from approvals.services.supersede import supersede_requests
from approvals.services.sweep import sweep
from approvals.services.undo import undo
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import by, events_of, verdict_on
from tests.invariants.conftest import Enter
from tests.invariants.doors import VERDICTS, Answer

SYSTEM = Actor.system("test")
AGENT = Actor.agent("till")


def spend(request: ApprovalRequest) -> Any:
    with transaction.atomic():
        return consume(
            request_id=request.pk, revision=request.revision, digest=request.digest, actor=AGENT
        )


def past(request: ApprovalRequest, **moments: int) -> None:
    """Let moments of the request lie so many seconds back."""
    now = database_now()
    ApprovalRequest.objects.filter(pk=request.pk).update(
        **{name: now - timedelta(seconds=span) for name, span in moments.items()}
    )


def approved(request: ApprovalRequest, user: User) -> None:
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(user))


def close(request: ApprovalRequest, user: User, state: str) -> None:
    """Bring the request to this end by its real way there."""
    if state in ("approved", "consumed", "lapsed"):
        approved(request, user)
    match state:
        case "expired":
            past(request, review_deadline=1)
            sweep()
        case "cancelled" | "superseded":
            assert request.run_id is not None
            end = cancel_requests if state == "cancelled" else supersede_requests
            with transaction.atomic():
                end(run_id=request.run_id, actor=SYSTEM, why="test")
        case "rejected" | "sent back":
            verdict = "reject" if state == "rejected" else "send_back"
            decision = verdict_on(request, verdict, reason="no")
            decide(request_id=request.pk, decision=decision, caller=by(user))
        case "consumed":
            assert spend(request).ok
        case "lapsed":
            past(request, execute_by=1)
            sweep()


#: How each end is told: what happened, and who or what did it.
ENDS = {
    "approved": ("approved", "second-reviewer"),
    "consumed": ("approved", "second-reviewer"),
    "rejected": ("rejected", "second-reviewer"),
    "sent back": ("sent back", "second-reviewer"),
    "expired": ("expired", "the deadline"),
    "cancelled": ("cancelled", "the end of its run"),
    "superseded": ("superseded", "a change of the task"),
    "lapsed": ("lapsed", "the clock"),
}


@pytest.fixture
def ended(opened: Opener, second_reviewer: User) -> Callable[[str], ApprovalRequest]:
    """`ended(state)`: a request at this end, as it was read before that."""

    def bring(state: str) -> ApprovalRequest:
        request = opened(
            run_id=uuid.uuid4(), needs=Requirements(undo_seconds=0, execute_by_minutes=5)
        )
        close(request, second_reviewer, state)
        return request

    return bring


def state_of(request: ApprovalRequest) -> tuple[Any, ...]:
    now = ApprovalRequest.objects.get(pk=request.pk)
    votes = Vote.objects.filter(request=request).values_list("pk", "counts")
    return (now.state, now.revision, now.version, now.decided_at, now.digest, [*votes])


@pytest.mark.parametrize("state", ENDS)
def test_every_late_verdict_is_told_what_closed_it_and_changes_nothing(
    enter: Enter,
    ended: Callable[[str], ApprovalRequest],
    reviewer: User,
    state: str,
    told: list[Any],
) -> None:
    request = ended(state)
    door = enter(reviewer)
    before = state_of(request)
    told.clear()
    for verdict, body in VERDICTS.items():
        answer = door.through(request, verdict, **body)
        answer.refused("already_decided")
        answer.names(*ENDS[state])
    assert state_of(request) == before
    assert told == []
    assert events_of(request)[-len(VERDICTS) :] == ["decision.refused"] * len(VERDICTS)


@pytest.mark.parametrize("state", ENDS)
def test_a_closed_request_is_neither_claimed_nor_extended(
    enter: Enter, ended: Callable[[str], ApprovalRequest], reviewer: User, state: str
) -> None:
    request = ended(state)
    door = enter(reviewer)
    before = state_of(request)
    for act, body in (("claim", {}), ("take_over", {}), ("extend", {"hours": 1}), ("release", {})):
        answer = door.do(request.pk, act, **body)
        if act != "release":
            assert answer.status == 409, answer.text
    assert state_of(request) == before


@pytest.mark.parametrize("state", [state for state in ENDS if state != "approved"])
def test_only_an_unused_approval_is_taken_back(
    enter: Enter, ended: Callable[[str], ApprovalRequest], reviewer: User, state: str
) -> None:
    request = ended(state)
    before = state_of(request)
    answer: Answer = enter(reviewer).do(request.pk, "undo")
    assert answer.status == 409, answer.text
    if state != "consumed":
        answer.names(*ENDS[state])
    assert state_of(request) == before


@pytest.mark.parametrize("state", [state for state in ENDS if state != "approved"])
def test_nothing_but_an_approval_is_ever_spent(
    ended: Callable[[str], ApprovalRequest], state: str
) -> None:
    request = ended(state)
    before = state_of(request)
    with pytest.raises(NotConsumable):
        spend(request)
    with transaction.atomic():
        assert not consume_plainly(
            request_id=request.pk,
            revision=request.revision,
            digest=request.digest,
            stopped=False,
        )
    assert state_of(request) == before


@pytest.mark.parametrize("state", ENDS)
def test_what_ended_does_not_end_again(
    ended: Callable[[str], ApprovalRequest], state: str, told: list[Any]
) -> None:
    request = ended(state)
    past(request, review_deadline=1, **({} if state == "approved" else {"execute_by": 1}))
    before, story = state_of(request), events_of(request)
    told.clear()
    sweep()
    assert state_of(request) == before
    if state != "approved":
        assert request.run_id is not None
        for end in (cancel_requests, supersede_requests):
            with transaction.atomic():
                assert end(run_id=request.run_id, actor=SYSTEM, why="test") == 0
    assert state_of(request) == before
    assert events_of(request) == story
    assert told == []


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_after_the_deadline_is_refused_before_the_sweep_has_come(
    opened: Opener, enter: Enter, reviewer: User, verdict: str
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    past(request, review_deadline=1)
    before = state_of(request)
    door.decide(request.pk, seen, verdict, **VERDICTS[verdict]).refused("deadline_passed")
    assert state_of(request) == before


def test_an_approval_that_was_taken_back_does_not_come_back_by_its_deadline_or_its_use(
    opened: Opener, enter: Enter, reviewer: User, told: list[Any]
) -> None:
    request = opened(needs=Requirements(undo_seconds=0, execute_by_minutes=5))
    door = enter(reviewer)
    assert door.through(request).taken
    undo(request_id=request.pk, caller=by(reviewer))
    with pytest.raises(NotConsumable):
        spend(request)
    past(request, review_deadline=1)
    assert sweep()["expired"] == 1
    door.through(request).refused("already_decided")
    assert [resolution.kind for resolution in told] == ["approved", "undone", "expired"]

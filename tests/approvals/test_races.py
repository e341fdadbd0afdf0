"""Two at once, on real connections: one wins, and the other is told who and what."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
from django.db import close_old_connections, connection, transaction

from accounts.models import Membership, User
from approvals import locking
from approvals.errors import (
    AlreadyDecided,
    AlreadyVoted,
    ContentChanged,
    DeadlinePassed,
    NotConsumable,
    NothingToUndo,
    PublishedMeanwhile,
)
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import GroupNeed, Requirements
from approvals.services import expire, policies, show
from approvals.services.cancel import cancel_requests
from approvals.services.consume import consume
from approvals.services.decide import decide
from approvals.services.drafts import begin_draft, submit_draft
from approvals.services.publish import publish_draft
from approvals.services.undo import undo
from audit.actors import Actor
from audit.clock import database_now
from audit.errors import Refusal
from tests.approvals.conftest import Opener
from tests.approvals.till import by, events_of, verdict_on
from tests.harness.rounds import rounds

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = rounds(12)


def at_once(*moves: Callable[[], Any]) -> list[Any]:
    """Run each in a thread with a connection of its own, started together; their results, a
    refusal standing for itself."""
    results: list[Any] = [None] * len(moves)
    barrier = threading.Barrier(len(moves))

    def run(index: int, move: Callable[[], Any]) -> None:
        connection.ensure_connection()
        barrier.wait(timeout=20)
        try:
            results[index] = move()
        except Refusal as refusal:
            results[index] = refusal
        finally:
            connection.close()
            close_old_connections()

    threads = [threading.Thread(target=run, args=(index, move)) for index, move in enumerate(moves)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    return results


def deciding(request: ApprovalRequest, user: User, verdict: str = "approve", **body: Any) -> Any:
    decision, caller = verdict_on(request, verdict, **body), by(user)
    return lambda: decide(request_id=request.pk, decision=decision, caller=caller)


def until_somebody_waits() -> None:
    """Until a transaction waits for a lock of another one. Raises TimeoutError."""
    pause = threading.Event()
    ends = monotonic() + 30
    while monotonic() < ends:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            if cursor.fetchone():
                return
        pause.wait(0.01)
    raise TimeoutError("nobody waits")


def test_a_first_look_and_a_decision_at_once_are_no_deadlock(
    opened: Opener, reviewer: User, second_reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened()
    recorded, has_recorded = show.record_request, threading.Event()

    def held_after(*args: Any, **named: Any) -> None:
        recorded(*args, **named)
        has_recorded.set()
        # The decision holds the request now, and waits for the stream that this look holds.
        until_somebody_waits()

    monkeypatch.setattr(show, "record_request", held_after)
    approve = deciding(request, reviewer)

    def decided() -> Any:
        assert has_recorded.wait(30)
        return approve()

    seen, decision = at_once(
        lambda: show.show_to(request_id=request.pk, caller=by(second_reviewer)), decided
    )
    assert seen == request
    assert decision is not None
    request.refresh_from_db()
    assert request.state == "approved"


def left(person: User) -> None:
    Membership.objects.filter(user=person).delete()


def demoted(person: User) -> None:
    person.groups.clear()


def closed(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


@pytest.mark.parametrize("loses", [left, demoted, closed], ids=lambda loses: loses.__name__)
def test_a_right_that_is_lost_while_somebody_is_waited_for_decides_nothing(
    opened: Opener,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
    loses: Callable[[User], None],
) -> None:
    monkeypatch.setattr(locking, "WAITED_SECONDS", 0.0)
    request = opened()
    caller = by(User.objects.get(pk=reviewer.pk))
    # As a page's, whose rights are read with its session.
    assert caller.holds("decide_requests")
    assert caller.group_ids
    held = threading.Event()

    def deciding_late() -> Any:
        held.wait(20)
        return decide(request_id=request.pk, decision=verdict_on(request), caller=caller)

    def losing() -> None:
        with transaction.atomic():
            ApprovalRequest.objects.select_for_update(no_key=True).get(pk=request.pk)
            held.set()
            until_somebody_waits()
            loses(reviewer)

    answer, _ = at_once(deciding_late, losing)
    assert isinstance(answer, Refusal)
    request.refresh_from_db()
    assert request.state == "pending"
    assert not Vote.objects.filter(request=request).exists()


def test_two_reviewers_at_once_have_one_winner(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    for _ in range(ROUNDS):
        request = opened()
        results = at_once(
            deciding(request, reviewer),
            deciding(request, second_reviewer, "reject", reason="no"),
        )
        lost = [result for result in results if isinstance(result, Refusal)]
        assert len(lost) == 1
        assert isinstance(lost[0], AlreadyDecided)
        request.refresh_from_db()
        winner = reviewer if request.state == "approved" else second_reviewer
        assert request.decided_by == winner
        assert lost[0].params["who"] == winner.get_full_name()
        assert events_of(request) == ["request.opened", "request.decided", "decision.refused"]


def test_double_click_decides_once_and_answers_twice(opened: Opener, reviewer: User) -> None:
    for _ in range(ROUNDS):
        request = opened()
        nonce = uuid.uuid4().hex
        results = at_once(*(deciding(request, reviewer, nonce=nonce) for _ in range(3)))
        assert len({result.vote_id for result in results}) == 1
        assert sorted(result.replayed for result in results) == [False, True, True]
        assert Vote.objects.filter(request=request).count() == 1


def test_one_person_in_two_windows_is_one_person(opened: Opener, reviewer: User) -> None:
    needs = Requirements(groups=(GroupNeed(group="support", count=2),))
    for _ in range(ROUNDS):
        request = opened(needs=needs)
        results = at_once(deciding(request, reviewer), deciding(request, reviewer))
        assert sorted(type(result).__name__ for result in results) == ["AlreadyVoted", "Decided"]
        assert AlreadyVoted in {type(result) for result in results}
        request.refresh_from_db()
        assert request.state == "pending"


def test_the_last_two_of_a_quorum_at_once_approve_it_once(
    opened: Opener, reviewer: User, second_reviewer: User, told: list[Any]
) -> None:
    needs = Requirements(groups=(GroupNeed(group="support", count=2),))
    for _ in range(ROUNDS):
        told.clear()
        request = opened(needs=needs)
        results = at_once(deciding(request, reviewer), deciding(request, second_reviewer))
        assert sorted(result.state for result in results) == ["approved", "pending"]
        assert [resolution.kind for resolution in told] == ["approved"]


def test_edit_and_approve_at_once_never_approve_what_was_not_seen(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    for _ in range(ROUNDS):
        request = opened()
        seen = request.digest
        results = at_once(
            deciding(request, reviewer, "edit", arguments={**request.arguments, "amount": "15.00"}),
            deciding(request, second_reviewer),
        )
        request.refresh_from_db()
        if request.state == "approved":
            assert request.digest == seen
            assert isinstance(results[0], AlreadyDecided)
        else:
            assert (request.state, request.revision) == ("pending", 2)
            assert isinstance(results[1], ContentChanged)


def test_a_decision_at_once_with_its_expiry_comes_too_late(opened: Opener, reviewer: User) -> None:
    for _ in range(ROUNDS):
        request = opened()
        ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=database_now())
        decided, expired = at_once(
            deciding(request, reviewer), lambda pk=request.pk: expire.past_deadline(pk)
        )
        assert isinstance(decided, AlreadyDecided | DeadlinePassed)
        if not expired:
            # The sweep passes over a row that a decision holds, and finds it the next time.
            assert expire.past_deadline(request.pk)
        request.refresh_from_db()
        assert request.state == "expired"


def test_decision_and_cancelled_run_at_once_leave_nothing_to_run(
    opened: Opener, reviewer: User
) -> None:
    def cancelling(run: uuid.UUID) -> Callable[[], int]:
        def cancel() -> int:
            with transaction.atomic():
                return cancel_requests(run_id=run, actor=Actor.system("test"), why="run_cancelled")

        return cancel

    for _ in range(ROUNDS):
        run = uuid.uuid4()
        request = opened(run_id=run)
        at_once(deciding(request, reviewer), cancelling(run))
        request.refresh_from_db()
        if request.state == "approved":
            # The decision committed after the cancelling had looked; a real run's lock orders them.
            assert cancelling(run)() == 1
            request.refresh_from_db()
        assert request.state in ("cancelled", "lapsed")


def test_undo_and_dispatch_at_once_have_one_winner(opened: Opener, reviewer: User) -> None:
    def spending(request: ApprovalRequest) -> Callable[[], Any]:
        def spend() -> Any:
            with transaction.atomic():
                return consume(
                    request_id=request.pk,
                    revision=1,
                    digest=request.digest,
                    actor=Actor.agent("till"),
                )

        return spend

    for _ in range(ROUNDS):
        request = opened(needs=Requirements(undo_seconds=0))
        deciding(request, reviewer)()
        caller = by(reviewer)
        undone, spent = at_once(
            lambda pk=request.pk, caller=caller: undo(request_id=pk, caller=caller),
            spending(request),
        )
        request.refresh_from_db()
        if request.state == "consumed":
            assert isinstance(undone, NothingToUndo)
        else:
            assert request.state == "pending"
            assert isinstance(spent, NotConsumable)


def test_an_approval_is_spent_once_by_two_workers(opened: Opener, reviewer: User) -> None:
    def spending(request: ApprovalRequest) -> Any:
        with transaction.atomic():
            return consume(
                request_id=request.pk, revision=1, digest=request.digest, actor=Actor.agent("till")
            )

    for _ in range(ROUNDS):
        request = opened(needs=Requirements(undo_seconds=0))
        deciding(request, reviewer)()
        results = at_once(*[lambda request=request: spending(request)] * 3)
        assert sorted(isinstance(result, NotConsumable) for result in results) == [
            False,
            True,
            True,
        ]


def test_two_admins_publish_one_after_the_other(admin: User, second_admin: User) -> None:
    base = policies.current()
    drafts = []
    for share, author in ((0.5, second_admin), (0.6, admin)):
        document = base.policy.with_threshold(share, tool="pay_back")
        draft = begin_draft(
            document=document, base_version=base.version, caller=by(author), why="x"
        )
        drafts.append(submit_draft(draft_id=draft.pk, edition=1, caller=by(author)))
    results = at_once(
        *(
            lambda draft=draft, caller=caller: publish_draft(draft_id=draft.pk, caller=caller)
            for draft, caller in zip(drafts, (by(admin), by(second_admin)), strict=True)
        )
    )
    lost = [result for result in results if isinstance(result, Refusal)]
    assert [type(refusal) for refusal in lost] == [PublishedMeanwhile]
    assert policies.current().version == base.version + 1


def test_two_processes_meeting_a_fresh_database_publish_one_policy() -> None:
    first, second = at_once(policies.current, policies.current)
    assert first == second
    assert first.version == 1


def test_approving_and_sending_back_at_once_have_one_winner(
    opened: Opener, reviewer: User, second_reviewer: User
) -> None:
    for _ in range(ROUNDS):
        request = opened()
        results = at_once(
            deciding(request, reviewer),
            deciding(request, second_reviewer, "send_back", reason="Use another account."),
        )
        assert sum(isinstance(result, AlreadyDecided) for result in results) == 1
        request.refresh_from_db()
        assert request.state == (
            "superseded" if isinstance(results[0], AlreadyDecided) else "approved"
        )

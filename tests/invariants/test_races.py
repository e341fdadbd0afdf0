"""Lines 3 to 8 under two real processes at once, hundreds of times: one winner, and all of it agrees."""

from __future__ import annotations

from collections import Counter

import pytest

from accounts.models import ReviewGroup, User
from accounts.services.set_roles import set_roles
from agents.models import EffectRecord, Run
from approvals.models import ApprovalRequest, Vote
from approvals.services.decide import decide
from approvals.services.expire import past_deadline
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.till import by, verdict_on
from tests.harness.people import person
from tests.harness.rounds import rounds
from tests.invariants.racing import Track, agrees, decision, deed, parked, told
from tests.invariants.ruling import DENIED, asking, in_force
from tests.model_server import ModelServer

#: For the pairs that are rare, or that need a run for each round.
FEWER = rounds(8)
NOTHING = DENIED | {"name": "nothing", "when": {"tools": ["none"]}}
EDITED = {"account": "A1", "amount": "41.00"}


def due(request: ApprovalRequest) -> None:
    """Let the deadline be this moment."""
    ApprovalRequest.objects.filter(pk=request.pk).update(review_deadline=database_now())


def approve(request: ApprovalRequest, user: User) -> None:
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(user))
    request.refresh_from_db()


@pytest.mark.parametrize("other", ["reject", "send_back", "approve"])
def test_two_verdicts_have_one_winner_and_the_other_is_told_who_and_what(
    track: Track,
    model: ModelServer,
    operator: User,
    reviewer: User,
    second_reviewer: User,
    other: str,
) -> None:
    done = {"reject": "rejected", "send_back": "sent back", "approve": "approved"}[other]
    body = {} if other == "approve" else {"reason": "No."}
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator)):
        answers = track.race(
            decision(request, reviewer, number),
            decision(request, second_reviewer, number // 5, other, **body),
        )
        first = answers[0]["moved"]
        assert first is not answers[1]["moved"], answers
        winner, what = (reviewer, "approved") if first else (second_reviewer, done)
        told(answers[1 if first else 0], winner.get_full_name(), what)
        types = agrees(request)
        assert request.decided_by == winner
        assert types.count("request.decided") == types.count("decision.refused") == 1
        track.first_won(first)
        wins[first] += 1
    assert len(wins) == 2, wins


def test_a_verdict_and_the_deadline_have_one_winner_and_it_is_no_late_yes(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    for number, request in enumerate(parked(model, operator)):
        due(request)
        answer, expiry = track.race(
            decision(request, reviewer, number), {"do": "expire", "request": str(request.pk)}
        )
        told(answer)
        assert (
            "by the deadline" in answer["text"] or "was over before your verdict" in answer["text"]
        )
        if not expiry["moved"]:
            # The sweep passes over a row that a decision holds, and finds it the next time.
            assert past_deadline(request.pk)
        types = agrees(request)
        assert request.state == "expired"
        assert (types.count("request.expired"), types.count("request.decided")) == (1, 0)
        # The verdict is late in any order: both orders come up as they fall.
        track.first_won(bool(number % 2))


def test_a_verdict_and_the_end_of_the_run_leave_nothing_to_run(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator, together=1)):
        answer, ended = track.race(
            decision(request, reviewer, number),
            {"do": "cancel", "person": operator.pk, "run": str(request.run_id)},
        )
        assert ended["moved"]
        types = agrees(request)
        if answer["moved"]:
            # It was given, and then the run ended before it was used.
            assert (request.state, types[-1]) == ("lapsed", "approval.lapsed")
        else:
            told(answer, "cancelled", "the end of its run")
            assert (request.state, types.count("request.decided")) == ("cancelled", 0)
        assert not EffectRecord.objects.filter(run=request.run_id).exists()
        track.first_won(answer["moved"])
        wins[answer["moved"]] += 1
    assert len(wins) == 2, wins


def test_a_verdict_and_another_task_leave_nothing_of_the_old_one(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator, FEWER, together=1)):
        answer, changed = track.race(
            decision(request, reviewer, number),
            {"do": "change_goal", "person": operator.pk, "run": str(request.run_id)},
        )
        assert changed["moved"]
        types = agrees(request)
        assert (request.state, types.count("request.superseded")) == ("superseded", 1)
        if not answer["moved"]:
            told(answer, "superseded", "a change of the task")
        assert types.count("request.decided") == answer["moved"]
        assert not EffectRecord.objects.filter(run=request.run_id).exists()
        track.first_won(answer["moved"])
        wins[answer["moved"]] += 1
    assert len(wins) == 2, wins


@pytest.mark.parametrize("rule", ["denies", "asks for more"])
def test_a_verdict_and_a_tighter_policy_never_let_the_old_verdict_run(
    track: Track,
    model: ModelServer,
    operator: User,
    reviewer: User,
    support: ReviewGroup,
    rule: str,
) -> None:
    tighter = DENIED if rule == "denies" else asking("finance", "support", undo_seconds=0)
    in_force(NOTHING)
    for number, request in enumerate(parked(model, operator, together=1)):
        answer, published = track.race(
            decision(request, reviewer, number), {"do": "publish", "rules": [tighter]}
        )
        assert published["moved"]
        if not answer["moved"]:
            told(answer)
            assert "policy" in answer["text"] or "changed since you opened it" in answer["text"]
        agrees(request)
        Run.objects.filter(pk=request.run_id).update(ready_at=None)
        told_run, _ = track.race(
            {"do": "advance", "run": str(request.run_id)},
            {"do": "expire", "request": str(request.pk)},
        )
        request.refresh_from_db()
        assert not EffectRecord.objects.filter(run=request.run_id).exists()
        assert told_run["sent"] == 0
        assert request.state in (
            ("rejected", "lapsed") if rule == "denies" else ("pending", "approved")
        )
        if answer["moved"] and rule != "denies":
            assert (request.state, request.revision) == ("pending", 2)
        # Whatever is opened next is opened under the policy that this one was.
        in_force(NOTHING)
        track.first_won(answer["moved"])


def test_an_edit_and_an_approval_never_approve_what_was_not_seen(
    track: Track,
    model: ModelServer,
    operator: User,
    reviewer: User,
    second_reviewer: User,
    support: ReviewGroup,
) -> None:
    in_force(asking("finance", "support", undo_seconds=0))
    third = person("third", "reviewer", groups=tuple(ReviewGroup.objects.all()))
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator)):
        seen = request.digest
        approve(request, third)
        answers = track.race(
            decision(request, reviewer, number, "edit", arguments=EDITED),
            decision(request, second_reviewer, number // 5),
        )
        types = agrees(request)
        edited = answers[0]["moved"]
        assert edited is not answers[1]["moved"], answers
        if edited:
            told(answers[1], "This request changed since you opened it")
            assert (request.state, request.revision) == ("pending", 2)
            assert request.digest != seen
            assert not Vote.objects.filter(request=request, counts=True).exists()
        else:
            told(answers[0], second_reviewer.get_full_name(), "approved")
            assert (request.state, request.digest) == ("approved", seen)
        assert types.count("decision.refused") == 1
        track.first_won(edited)
        wins[edited] += 1
    assert len(wins) == 2, wins


def test_two_approvals_of_a_quorum_approve_once_and_whoever_is_in_both_groups_counts_once(
    track: Track,
    model: ModelServer,
    operator: User,
    reviewer: User,
    support: ReviewGroup,
    finance: ReviewGroup,
) -> None:
    in_force(asking("finance", "support", undo_seconds=0))
    one_group = person("finance-only", "reviewer", groups=(finance,))
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator)):
        answers = track.race(
            decision(request, reviewer, number), decision(request, one_group, number // 5)
        )
        assert all(answer["moved"] for answer in answers), answers
        types = agrees(request)
        assert request.state == "approved"
        assert (types.count("request.voted"), types.count("request.decided")) == (1, 1)
        assert Vote.objects.filter(request=request, counts=True).count() == 2
        last = request.decided_by == one_group
        track.first_won(last)
        wins[last] += 1
    assert len(wins) == 2, wins


def test_one_person_at_two_doors_is_one_of_two(
    track: Track, model: ModelServer, operator: User, reviewer: User, support: ReviewGroup
) -> None:
    in_force(asking("finance", "support", undo_seconds=0))
    for number, request in enumerate(parked(model, operator, FEWER)):
        answers = track.race(
            decision(request, reviewer, number), decision(request, reviewer, number // 5)
        )
        assert sorted(answer["moved"] for answer in answers) == [False, True]
        loser = answers[0] if answers[1]["moved"] else answers[1]
        told(loser, "You have approved this already")
        agrees(request)
        assert request.state == "pending"
        track.first_won(answers[0]["moved"])


def test_an_undo_and_the_use_of_an_approval_have_one_winner(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator, FEWER, together=1)):
        approve(request, reviewer)
        undone, used = track.race(
            deed(request, reviewer, number, "undo"),
            {"do": "advance", "run": str(request.run_id)},
        )
        types = agrees(request)
        assert undone["moved"] is not bool(used["sent"]), (undone, used)
        if undone["moved"]:
            assert (request.state, types[-1]) == ("pending", "request.undone")
            assert not EffectRecord.objects.filter(run=request.run_id).exists()
        else:
            told(undone, "Succeeded." if "Succeeded." in undone["text"] else "Executing")
            assert request.state == "consumed"
            assert EffectRecord.objects.get(run=request.run_id).approval_id == request.pk
        track.first_won(undone["moved"])
        wins[undone["moved"]] += 1
    assert len(wins) == 2, wins


def test_an_extension_and_the_deadline_have_one_winner(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator, FEWER)):
        due(request)
        extended, expiry = track.race(
            deed(request, reviewer, number, "extend", hours=30),
            {"do": "expire", "request": str(request.pk)},
        )
        types = agrees(request)
        assert not (extended["moved"] and expiry["moved"])
        if extended["moved"]:
            assert (request.state, types[-1]) == ("pending", "request.extended")
            assert not past_deadline(request.pk)
        else:
            told(extended)
            assert request.state == "expired"
        track.first_won(extended["moved"])
        wins[extended["moved"]] += 1
    assert len(wins) == 2, wins


def test_two_claims_have_one_holder_and_the_other_is_told_who(
    track: Track, model: ModelServer, operator: User, reviewer: User, second_reviewer: User
) -> None:
    wins: Counter[bool] = Counter()
    for number, request in enumerate(parked(model, operator, FEWER)):
        answers = track.race(
            deed(request, reviewer, number, "claim"),
            deed(request, second_reviewer, number // 5, "claim"),
        )
        first = answers[0]["moved"]
        assert first is not answers[1]["moved"], answers
        holder = reviewer if first else second_reviewer
        told(answers[1 if first else 0], holder.get_full_name())
        types = agrees(request)
        assert (request.claimed_by, types.count("request.claimed")) == (holder, 1)
        track.first_won(first)
        wins[first] += 1
    assert len(wins) == 2, wins


def test_a_verdict_and_a_lost_role_agree_on_which_came_first(
    track: Track, model: ModelServer, operator: User, reviewer: User
) -> None:
    """Refused, or given while the role was still there: then the role went after it was looked at."""
    wins: Counter[bool] = Counter()
    system = Actor.system("test")
    for number, request in enumerate(parked(model, operator, FEWER)):
        set_roles(person=reviewer, roles=["reviewer"], caller=system)
        answer, gone = track.race(
            decision(request, reviewer, number), {"do": "lose_role", "person": reviewer.pk}
        )
        assert gone["moved"]
        agrees(request)
        if answer["moved"]:
            assert (request.state, request.decided_by) == ("approved", reviewer)
        else:
            assert answer["status"] == 403
            assert request.state == "pending"
        late = decision(request, reviewer, number)
        again, _ = track.race(late, {"do": "expire", "request": str(request.pk)})
        assert again["status"] == 403
        track.first_won(answer["moved"])
        wins[answer["moved"]] += 1
    assert len(wins) == 2, wins

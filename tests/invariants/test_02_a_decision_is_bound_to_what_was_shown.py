"""Line 2: a decision carries what was shown and a nonce; anything else changes nothing."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from accounts.models import User
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import GroupNeed, Requirements
from approvals.services.decide import decide
from audit.models import Event
from tests.approvals.conftest import Opener
from tests.approvals.till import by, events_of, verdict_on
from tests.invariants.conftest import Enter
from tests.invariants.doors import DOORS, VERDICTS, PageDoor, Seen, SessionDoor, TokenDoor

OTHER = "sha256:" + "0" * 64
ACTS: dict[str, dict[str, Any]] = {
    "undo": {},
    "claim": {},
    "take_over": {},
    "release": {},
    "extend": {"hours": 1},
    "comment": {"body": "seen"},
}


def standing(request: ApprovalRequest) -> tuple[Any, ...]:
    """Everything about the request that a decision could change."""
    request.refresh_from_db()
    return (
        request.state,
        request.revision,
        request.version,
        request.digest,
        request.arguments,
        request.decided_by_id,
        list(Vote.objects.filter(request=request).values_list("pk", "counts")),
    )


def test_each_door_shows_what_a_decision_has_to_bring_back(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request = opened()
    seen = enter(reviewer).read(request)
    stored = Seen.of(request)
    assert replace(seen, nonce="") == replace(stored, nonce="")
    assert len(seen.nonce) >= 8


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize(
    "stale",
    [{"revision": 2}, {"digest": OTHER}, {"shown_sha256": OTHER}],
    ids=lambda s: next(iter(s)),
)
def test_a_verdict_on_something_else_than_was_shown_changes_nothing(
    opened: Opener, enter: Enter, reviewer: User, verdict: str, stale: dict[str, Any]
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    before = standing(request)
    door.decide(request.pk, replace(seen, **stale), verdict, **VERDICTS[verdict]).refused(
        "content_changed"
    )
    assert standing(request) == before
    assert door.decide(request.pk, seen, "approve").taken


@pytest.mark.parametrize("name", ["revision", "digest", "shown_sha256", "nonce"])
@pytest.mark.parametrize("value", ["", "0", "x" * 200])
def test_a_verdict_without_what_it_must_carry_changes_nothing(
    opened: Opener, enter: Enter, reviewer: User, name: str, value: str
) -> None:
    request = opened()
    door = enter(reviewer)
    before = standing(request)
    door.decide(request.pk, replace(door.read(request), **{name: value})).refused("invalid_request")
    assert standing(request) == before


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_same_nonce_gets_the_first_answer_again(
    opened: Opener, enter: Enter, reviewer: User, verdict: str
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    first = door.decide(request.pk, seen, verdict, **VERDICTS[verdict])
    assert first.taken, first.text
    after = standing(request)
    told = events_of(request)
    again = door.decide(request.pk, seen, verdict, **VERDICTS[verdict])
    assert again.taken
    assert again.document == (first.document | {"replayed": True} if first.document else {})
    assert standing(request) == after
    assert events_of(request) == told


def test_the_same_nonce_through_another_door_is_the_same_decision(
    opened: Opener, reviewer: User
) -> None:
    request = opened()
    seen = Seen.of(request)
    answers = [door(reviewer).decide(request.pk, seen) for door in (*DOORS, *DOORS)]
    assert all(answer.taken for answer in answers)
    assert Vote.objects.filter(request=request).count() == 1


def test_the_same_nonce_after_the_approval_was_taken_back_does_not_give_it_again(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    assert door.decide(request.pk, seen).taken
    assert door.do(request.pk, "undo").taken
    before = standing(request)
    assert door.decide(request.pk, seen).taken
    assert standing(request) == before
    assert request.state == "pending"


@pytest.mark.parametrize("other", ["reject", "edit", "approve"])
def test_the_same_nonce_with_another_body_is_refused(
    opened: Opener, enter: Enter, reviewer: User, other: str
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    door = enter(reviewer)
    seen = door.read(request)
    assert door.decide(request.pk, seen).taken
    after = standing(request)
    body = VERDICTS[other]
    if other == "approve":
        seen, body = replace(seen, shown_sha256=OTHER), {}
    door.decide(request.pk, seen, other, **body).refused("nonce_reused")
    assert standing(request) == after


def test_a_nonce_is_its_persons_and_its_requests(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    needs = Requirements(groups=(GroupNeed(group="support", count=2),))
    request, other = opened(needs=needs), opened()
    door = enter(reviewer)
    seen = door.read(request)
    assert door.decide(request.pk, seen).taken
    on_other = replace(seen, **{k: v for k, v in vars(Seen.of(other)).items() if k != "nonce"})
    assert door.decide(other.pk, on_other, "reject", reason="no").taken
    other.refresh_from_db()
    assert other.state == "rejected"
    assert enter(second_reviewer).decide(request.pk, seen).taken
    request.refresh_from_db()
    assert request.state == "approved"
    assert Vote.objects.filter(request=request).count() == 2


def test_what_was_shown_of_one_request_decides_no_other(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request, other = opened(), opened()
    assert request.digest == other.digest
    door = enter(reviewer)
    before = standing(other)
    door.decide(other.pk, door.read(request)).refused("content_changed")
    assert standing(other) == before


@pytest.mark.parametrize("hidden", [False, True], ids=["unknown", "not to be seen"])
def test_of_an_unknown_request_nothing_can_be_had_and_nothing_happens(
    opened: Opener, enter: Enter, reviewer: User, outsider: User, hidden: bool
) -> None:
    request = opened()
    door = enter(outsider if hidden else reviewer)
    request_id = request.pk if hidden else uuid.uuid4()
    before, events = standing(request), Event.objects.filter(request__isnull=False).count()
    door.look(request_id).unknown()
    for verdict, body in VERDICTS.items():
        door.decide(request_id, Seen.of(request), verdict, **body).unknown()
    for act, body in ACTS.items():
        door.do(request_id, act, **body).unknown()
    assert standing(request) == before
    assert Event.objects.filter(request__isnull=False).count() == events


def test_what_is_not_to_be_seen_answers_as_what_is_not_there(
    opened: Opener, outsider: User
) -> None:
    request, nothing = opened(), uuid.uuid4()
    for door in (SessionDoor(outsider), TokenDoor(outsider)):
        there, absent = (door.decide(pk, Seen.of(request)) for pk in (request.pk, nothing))
        assert there.text.replace(str(request.pk), "") == absent.text.replace(str(nothing), "")


def test_a_form_without_its_csrf_token_decides_nothing(opened: Opener, reviewer: User) -> None:
    request = opened()
    before = standing(request)
    page, session = PageDoor(reviewer), SessionDoor(reviewer)
    seen = page.read(request)
    page.csrf = ""
    assert page.decide(request.pk, seen).status == 403
    session.headers = {}
    assert session.decide(request.pk, seen).status == 403
    assert standing(request) == before


def test_a_refusal_is_an_event_and_a_replay_is_none(
    opened: Opener, enter: Enter, reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    decide(request_id=request.pk, decision=verdict_on(request), caller=by(reviewer))
    enter(second_reviewer).decide(request.pk, Seen.of(request)).refused("already_decided")
    refused = Event.objects.filter(request=request.pk, type="decision.refused").get()
    assert refused.actor_id == str(second_reviewer.pk)

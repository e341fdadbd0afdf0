"""Line 3: two people at once; one wins, and the other is told who and what."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from approvals.models import ApprovalRequest
from tests.approvals.conftest import Opener
from tests.invariants.conftest import Enter
from tests.invariants.doors import DOORS, Door

VERDICTS: dict[str, tuple[dict[str, Any], str]] = {
    "approve": ({}, "approved"),
    "reject": ({"reason": "no"}, "rejected"),
    "send_back": ({"reason": "no"}, "sent back"),
    "stop": ({"reason": "no"}, "stopped"),
}


@pytest.mark.parametrize("second", DOORS, ids=lambda door: f"then {door.kind}")
@pytest.mark.parametrize("won", VERDICTS)
def test_who_comes_second_by_any_door_is_told_who_did_what(
    opened: Opener,
    enter: Enter,
    second: type[Door],
    reviewer: User,
    second_reviewer: User,
    won: str,
) -> None:
    request = opened()
    winner, loser = enter(reviewer), second(second_reviewer)
    seen = loser.read(request)
    body, done = VERDICTS[won]
    assert winner.decide(request.pk, winner.read(request), won, **body).taken
    answer = loser.decide(request.pk, seen, "reject", reason="My own words.")
    answer.refused("already_decided")
    answer.names(reviewer.get_full_name(), done)
    if answer.params:
        assert answer.params["when"]
        assert (answer.params["who"], answer.params["what"]) == (reviewer.get_full_name(), done)
    else:
        # What was typed is not lost.
        answer.names("My own words.")
    assert ApprovalRequest.objects.get(pk=request.pk).decided_by == reviewer


@pytest.mark.parametrize("second", DOORS, ids=lambda door: f"then {door.kind}")
def test_who_decides_on_what_somebody_else_changed_meanwhile_is_told_so(
    opened: Opener, enter: Enter, second: type[Door], reviewer: User, second_reviewer: User
) -> None:
    request = opened()
    editor, other = enter(reviewer), second(second_reviewer)
    seen = other.read(request)
    changed = {**request.arguments, "amount": "15.00"}
    assert editor.decide(request.pk, editor.read(request), "edit", arguments=changed).taken
    other.decide(request.pk, seen).refused("content_changed")
    request.refresh_from_db()
    assert (request.state, request.revision) == ("pending", 2)

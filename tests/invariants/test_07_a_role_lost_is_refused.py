"""Line 7: a right that was lost between opening and deciding is gone, whatever door was open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from accounts.callers import Caller
from accounts.models import ApiToken, ReviewGroup, User
from accounts.services.leave_group import leave_group
from accounts.services.revoke_token import revoke_token
from accounts.services.set_roles import set_roles
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import GroupNeed, Requirements
from audit.actors import Actor
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import by, events_of, one_of
from tests.harness.people import person
from tests.invariants.conftest import Enter
from tests.invariants.doors import DOORS, VERDICTS, Answer, Door, TokenDoor

SYSTEM = Actor.system("test")
ACTS: dict[str, dict[str, Any]] = {
    "claim": {},
    "take_over": {},
    "extend": {"hours": 1},
}


def without_role(user: User) -> None:
    set_roles(person=user, roles=["operator"], caller=SYSTEM)


def without_groups(user: User) -> None:
    for slug in ("finance", "support"):
        leave_group(person=user, group=slug, caller=SYSTEM)


def closed_account(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def no_superuser_any_more(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_superuser=False)


LOSSES: dict[Callable[[User], None], str] = {
    without_role: "permission_missing",
    without_groups: "unknown",
    closed_account: "shut out",
}


def lost(answer: Answer, how: str) -> None:
    match how:
        case "shut out":
            answer.shut_out()
        case "unknown":
            answer.unknown()
        case code:
            answer.refused(code)


def untouched(request: ApprovalRequest) -> None:
    request.refresh_from_db()
    assert (request.state, request.revision, request.claimed_by_id) == ("pending", 1, None)
    assert not Vote.objects.filter(request=request).exists()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_nothing_is_decided_with_a_right_that_was_lost_since_opening(
    opened: Opener, enter: Enter, reviewer: User, loss: Callable[[User], None]
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    loss(reviewer)
    for verdict, body in VERDICTS.items():
        lost(door.decide(request.pk, seen, verdict, **body), LOSSES[loss])
    for act, body in ACTS.items():
        lost(door.do(request.pk, act, **body), LOSSES[loss])
    untouched(request)


@pytest.mark.parametrize("role", ["admin", "reviewer"])
def test_who_sees_it_for_another_reason_still_does_not_decide_it(
    opened: Opener, enter: Enter, support: ReviewGroup, role: str
) -> None:
    """Of the owner group, which may see it, while another group is asked."""
    asked = person("asked", role, groups=(support,))
    finance = ReviewGroup.objects.get(slug="finance")
    asked.memberships.create(group=finance)
    request = opened(needs=one_of("finance"))
    door = enter(asked)
    seen = door.read(request)
    leave_group(person=asked, group="finance", caller=SYSTEM)
    door.decide(request.pk, seen).refused("not_in_groups")
    untouched(request)


def test_a_superuser_who_is_none_any_more_decides_nothing(
    opened: Opener, enter: Enter, cast: dict[str, User]
) -> None:
    root = cast["superuser in the group"]
    request = opened()
    door = enter(root)
    seen = door.read(request)
    no_superuser_any_more(root)
    door.decide(request.pk, seen).refused("permission_missing")
    untouched(request)


def test_an_admin_who_becomes_an_operator_decides_nothing(
    opened: Opener, enter: Enter, cast: dict[str, User]
) -> None:
    request = opened()
    door = enter(cast["admin in the group"])
    seen = door.read(request)
    without_role(cast["admin in the group"])
    door.decide(request.pk, seen).refused("permission_missing")
    untouched(request)


def test_a_right_of_ones_own_that_was_taken_away_decides_nothing(
    opened: Opener, enter: Enter, support: ReviewGroup
) -> None:
    alone = person("alone", groups=(support,))
    right = Permission.objects.get(codename="decide_requests")
    alone.user_permissions.add(right)
    request = opened()
    door = enter(alone)
    seen = door.read(request)
    alone.user_permissions.remove(right)
    door.decide(request.pk, seen).refused("permission_missing")
    untouched(request)


@pytest.mark.parametrize("loss", [without_role, without_groups, closed_account])
def test_an_approval_given_with_a_right_that_was_lost_since_does_not_count(
    opened: Opener,
    enter: Enter,
    reviewer: User,
    second_reviewer: User,
    loss: Callable[[User], None],
) -> None:
    request = opened(needs=Requirements(groups=(GroupNeed(group="support", count=2),)))
    assert enter(reviewer).through(request).taken
    loss(reviewer)
    assert enter(second_reviewer).through(request).taken
    request.refresh_from_db()
    assert request.state == "pending"
    assert "request.decided" not in events_of(request)


def test_what_was_answered_before_is_not_answered_again_to_who_lost_the_right(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request = opened()
    door = enter(reviewer)
    seen = door.read(request)
    assert door.decide(request.pk, seen).taken
    without_role(reviewer)
    door.decide(request.pk, seen).refused("permission_missing")


def test_who_lost_the_right_does_not_take_their_approval_back(
    opened: Opener, enter: Enter, reviewer: User
) -> None:
    request = opened()
    door = enter(reviewer)
    assert door.through(request).taken
    without_role(reviewer)
    door.do(request.pk, "undo").refused("permission_missing")
    request.refresh_from_db()
    assert request.state == "approved"


def revoked(door: TokenDoor) -> None:
    revoke_token(token_id=door.token.pk, caller=Caller.of_session(door.person))


def run_out(door: TokenDoor) -> None:
    moment = database_now() - timedelta(seconds=1)
    ApiToken.objects.filter(pk=door.token.pk).update(
        created_at=moment - timedelta(seconds=1), expires_at=moment
    )


@pytest.mark.parametrize("end", [revoked, run_out])
def test_a_token_that_is_gone_decides_nothing(
    opened: Opener, reviewer: User, end: Callable[[TokenDoor], None]
) -> None:
    request = opened()
    door = TokenDoor(reviewer)
    seen = door.read(request)
    end(door)
    door.decide(request.pk, seen).shut_out()
    untouched(request)


def test_a_token_whose_scope_is_gone_decides_nothing(opened: Opener, reviewer: User) -> None:
    request = opened()
    door = TokenDoor(reviewer, "read", "decide")
    seen = door.read(request)
    ApiToken.objects.filter(pk=door.token.pk).update(scopes=["read"])
    answer = door.decide(request.pk, seen)
    assert (answer.status, answer.code) == (403, "scope_missing")
    untouched(request)


@pytest.mark.parametrize("scopes", [("read",), ("run",), ("admin",), ("read", "run", "admin")])
def test_no_other_scope_of_an_admin_decides(
    opened: Opener, cast: dict[str, User], scopes: tuple[str, ...]
) -> None:
    request = opened()
    door = TokenDoor(cast["admin in the group"], *scopes)
    answer = door.through(request)
    assert (answer.status, answer.code) == (403, "scope_missing")
    untouched(request)


def test_no_token_decides_what_asks_for_a_second_factor(
    opened: Opener, cast: dict[str, User]
) -> None:
    for who in ("reviewer", "admin in the group", "superuser in the group"):
        request = opened(needs=Requirements(friction="second_factor"))  # type: ignore[arg-type]
        for verdict, body in VERDICTS.items():
            TokenDoor(cast[who]).through(request, verdict, **body).refused("second_factor_required")
        untouched(request)


def test_every_door_is_shut_at_once_when_an_account_is_closed(
    opened: Opener, reviewer: User
) -> None:
    request = opened()
    doors: list[Door] = [door(reviewer) for door in DOORS]
    closed_account(reviewer)
    for door in doors:
        door.look(request.pk).shut_out()
        door.through(request).shut_out()
    untouched(request)
    assert by(reviewer).group_ids

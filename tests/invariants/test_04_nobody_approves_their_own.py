"""Line 4: nobody approves what they started or edited, by any door, whatever else they are."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin as site
from django.db.models import Model
from django.test import Client

from accounts.models import ReviewGroup, User
from approvals.models import ApprovalRequest, Vote
from approvals.schemas import GroupNeed, Requirements
from approvals.services.sweep import sweep
from approvals.vocabulary import Expiry, Kind
from audit.clock import database_now
from tests.approvals.conftest import Opener
from tests.approvals.till import one_of
from tests.harness.people import person
from tests.invariants.conftest import Enter
from tests.invariants.doors import DOORS, VERDICTS, Answer, Door, TokenDoor
from tests.invariants.ruling import asking, in_force

Cast = dict[str, User]
TWO = Requirements(groups=(GroupNeed(group="support", count=2),))
MAY = {"reviewer", "second reviewer", "admin in the group", "superuser in the group"}
REFUSED = {
    "reviewer of other groups": "unknown",
    "operator": "unknown",
    "outsider": "unknown",
    "member without a role": "permission_missing",
    "operator in the group": "permission_missing",
    "auditor": "permission_missing",
    "admin": "not_in_groups",
    "superuser": "not_in_groups",
}


def undecided(request: ApprovalRequest, revision: int = 1) -> None:
    """Fail if anything about the request was decided."""
    request.refresh_from_db()
    assert (request.state, request.revision) == ("pending", revision)
    assert not Vote.objects.filter(request=request, counts=True).exists()


def refusal_of(answer: Answer, who: str) -> None:
    code = REFUSED[who]
    if code == "unknown":
        answer.unknown()
    else:
        answer.refused(code)


def edited(door: Door, request: ApprovalRequest, **arguments: str) -> None:
    """Edit through the door, as somebody who reads first, and read again."""
    done = door.decide(
        request.pk, door.read(request), "edit", arguments={**request.arguments, **arguments}
    )
    assert done.taken, done.text
    request.refresh_from_db()


@pytest.mark.parametrize("who", sorted(MAY | set(REFUSED)))
def test_who_may_decide_is_role_and_group_together(
    opened: Opener, enter: Enter, cast: Cast, who: str
) -> None:
    for verdict, body in VERDICTS.items():
        request = opened(initiator=cast["operator"].pk if who != "operator" else None)
        answer = enter(cast[who]).through(request, verdict, **body)
        if who in MAY:
            assert answer.taken, answer.text
        else:
            refusal_of(answer, who)
            undecided(request)


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("who", sorted(MAY))
def test_nobody_decides_what_they_started(
    opened: Opener, enter: Enter, cast: Cast, who: str, verdict: str
) -> None:
    own = cast[who]
    request = opened(initiator=own.pk)
    enter(own).through(request, verdict, **VERDICTS[verdict]).refused("own_request")
    undecided(request)


@pytest.mark.parametrize("who", [*sorted(MAY), *sorted(REFUSED)])
def test_whoever_started_it_decides_it_by_no_role(
    opened: Opener, enter: Enter, cast: Cast, who: str
) -> None:
    own = cast[who]
    request = opened(initiator=own.pk)
    answer = enter(own).through(request)
    assert answer.status == 403
    answer.refused("own_request", "permission_missing", "not_in_groups")
    undecided(request)


def test_a_token_of_the_initiators_with_every_scope_decides_nothing(
    opened: Opener, cast: Cast
) -> None:
    for who in ("admin in the group", "superuser in the group"):
        request = opened(initiator=cast[who].pk)
        TokenDoor(cast[who], "read", "run", "decide", "admin").through(request).refused(
            "own_request"
        )
        undecided(request)


def test_an_initiator_who_joins_a_group_later_still_decides_nothing(
    opened: Opener, enter: Enter, cast: Cast, finance: ReviewGroup
) -> None:
    own = cast["reviewer of other groups"]
    request = opened(initiator=own.pk, needs=one_of("finance"))
    door = enter(own)
    seen = door.read(request)
    own.memberships.create(group=finance)
    door.decide(request.pk, seen).refused("own_request")
    undecided(request)


def test_an_initiator_who_becomes_a_stand_in_by_escalation_decides_nothing(
    opened: Opener, enter: Enter, cast: Cast
) -> None:
    own = cast["reviewer"]
    escalates = Requirements(on_expiry=Expiry.ESCALATE, escalation=("finance",), review_hours=2)
    request = opened(initiator=own.pk, needs=escalates)
    ApprovalRequest.objects.filter(pk=request.pk).update(
        review_deadline=database_now() - timedelta(seconds=1)
    )
    sweep()
    own.memberships.filter(group__slug="support").delete()
    request.refresh_from_db()
    assert request.escalation_level == 1
    enter(own).through(request).refused("own_request")
    undecided(request)


def test_an_initiator_is_not_the_second_of_two(opened: Opener, enter: Enter, cast: Cast) -> None:
    request = opened(initiator=cast["reviewer"].pk, needs=TWO)
    assert enter(cast["second reviewer"]).through(request).taken
    enter(cast["reviewer"]).through(request).refused("own_request")
    request.refresh_from_db()
    assert request.state == "pending"


def test_an_initiator_takes_nothing_back_claims_nothing_and_extends_nothing(
    opened: Opener, enter: Enter, cast: Cast
) -> None:
    request = opened(initiator=cast["reviewer"].pk)
    door = enter(cast["reviewer"])
    for act, body in (("claim", {}), ("take_over", {}), ("extend", {"hours": 1})):
        door.do(request.pk, act, **body).refused("own_request")
    assert enter(cast["second reviewer"]).through(request).taken
    door.do(request.pk, "undo").refused("own_request")
    request.refresh_from_db()
    assert request.state == "approved"


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (Kind.BUDGET, "stop"),
        (Kind.IN_DOUBT, "did_not"),
        (Kind.IN_DOUBT, "happened"),
        (Kind.IN_DOUBT, "compensate"),
        (Kind.RESULT, "accept"),
        (Kind.ATTENTION, "continue"),
        (Kind.ATTENTION, "stop"),
    ],
)
@pytest.mark.parametrize("who", ["reviewer", "admin in the group", "superuser in the group"])
def test_nobody_settles_what_their_own_run_asks_otherwise(
    opened: Opener, enter: Enter, cast: Cast, who: str, kind: Kind, verdict: str
) -> None:
    request = opened(kind=kind, initiator=cast[who].pk)
    enter(cast[who]).through(request, verdict).refused("own_request")
    undecided(request)


@pytest.mark.parametrize("who", sorted(MAY))
def test_nobody_approves_their_own_material_edit(
    opened: Opener, enter: Enter, cast: Cast, who: str
) -> None:
    request = opened()
    door = enter(cast[who])
    edited(door, request, amount="15.00")
    undecided(request, 2)
    door.through(request).refused("own_edit")
    undecided(request, 2)
    other = cast["second reviewer" if who != "second reviewer" else "reviewer"]
    assert enter(other).through(request).taken
    request.refresh_from_db()
    assert (request.state, request.arguments["amount"]) == ("approved", "15.00")


def test_an_editor_does_not_approve_their_edit_for_another_group_of_theirs(
    opened: Opener, enter: Enter, cast: Cast, support: ReviewGroup
) -> None:
    in_force(asking("support", "finance"))
    request = opened()
    door = enter(cast["reviewer"])
    edited(door, request, amount="15.00")
    assert enter(person("support-only", "reviewer", groups=(support,))).through(request).taken
    door.through(request).refused("own_edit")
    request.refresh_from_db()
    assert request.state == "pending"


def test_an_editor_who_joins_a_group_later_does_not_approve_their_edit(
    opened: Opener, enter: Enter, support: ReviewGroup, finance: ReviewGroup
) -> None:
    editor = person("editor", "reviewer", groups=(support,))
    in_force(asking("support", "finance"))
    request = opened()
    door = enter(editor)
    edited(door, request, amount="15.00")
    editor.memberships.create(group=finance)
    door.through(request).refused("own_edit")
    undecided(request, 2)


def test_a_cosmetic_edit_on_top_of_ones_own_material_edit_approves_nothing(
    opened: Opener, enter: Enter, cast: Cast
) -> None:
    request = opened()
    door = enter(cast["admin in the group"])
    edited(door, request, amount="15.00")
    edited(door, request, note="cracked")
    undecided(request, 3)
    door.through(request).refused("own_edit")
    undecided(request, 3)


def test_an_editor_takes_an_approval_back_and_still_does_not_give_it(
    opened: Opener, enter: Enter, cast: Cast
) -> None:
    request = opened()
    door = enter(cast["reviewer"])
    edited(door, request, amount="15.00")
    assert enter(cast["second reviewer"]).through(request).taken
    assert door.do(request.pk, "undo").taken
    request.refresh_from_db()
    door.through(request).refused("own_edit")
    undecided(request, 2)


def test_a_person_in_two_groups_counts_once(
    opened: Opener, enter: Enter, cast: Cast, support: ReviewGroup, finance: ReviewGroup
) -> None:
    request = opened(needs=one_of("support", "finance"))
    both = enter(cast["reviewer"])
    assert both.through(request).taken
    both.through(request).refused("already_voted")
    request.refresh_from_db()
    assert request.state == "pending"
    # The one in both takes whichever place the other cannot.
    assert enter(person("finance-only", "reviewer", groups=(finance,))).through(request).taken
    request.refresh_from_db()
    assert request.state == "approved"


def test_one_person_by_every_door_is_one_person(opened: Opener, cast: Cast) -> None:
    request = opened(needs=TWO)
    first, *others = (door(cast["reviewer"]) for door in DOORS)
    assert first.through(request).taken
    for door in others:
        door.through(request).refused("already_voted")
    request.refresh_from_db()
    assert request.state == "pending"


def test_the_owner_group_is_left_out_by_every_door_where_the_policy_says_so(
    opened: Opener, enter: Enter, cast: Cast, finance: ReviewGroup
) -> None:
    person("from-finance", "reviewer", groups=(finance,))
    request = opened(needs=Requirements(groups=one_of("finance").groups, exclude_owner=True))
    for who in sorted(MAY):
        enter(cast[who]).through(request).refused("not_in_groups")
    undecided(request)


def models_of(*labels: str) -> list[type[Model]]:
    return [model for label in labels for model in apps.get_app_config(label).get_models()]


def test_djangos_admin_offers_no_way_to_write_what_was_decided(opened: Opener, cast: Cast) -> None:
    opened()
    client = Client()
    client.force_login(
        cast["superuser in the group"],
        backend="allauth.account.auth_backends.AuthenticationBackend",
    )
    assert client.get("/django-admin/").status_code == 200
    for model in models_of("approvals", "agents", "audit"):
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        if model not in site.site._registry:
            assert client.get(f"/django-admin/{name}/").status_code == 404
            continue
        row = model._default_manager.first()
        some = row.pk if row is not None else uuid.uuid4()
        for path in ("add/", f"{some}/change/", f"{some}/delete/"):
            assert client.post(f"/django-admin/{name}/{path}", {}).status_code in (302, 403, 404)
        shown = client.get(f"/django-admin/{name}/").content.decode()
        assert "delete_selected" not in shown

"""People, roles and review groups change through one service each, with their event."""

from threading import Barrier, Thread

import pytest
from django.db import connections

from accounts.callers import Caller
from accounts.errors import (
    BadPerson,
    BadReviewGroup,
    LastAdmin,
    PermissionMissing,
    UnknownReviewGroup,
    UnknownRole,
    UsernameTaken,
)
from accounts.models import Membership, ReviewGroup, User
from accounts.roles import roles_of
from accounts.services.create_group import create_group
from accounts.services.create_person import create_person
from accounts.services.join_group import join_group
from accounts.services.leave_group import leave_group
from accounts.services.set_roles import set_roles
from audit.actors import Actor
from audit.models import Event
from tests.accounts.conftest import Bodies

SYSTEM = Actor.system("tests")


def test_a_new_person_has_roles_groups_and_no_password(
    as_admin: Caller, finance: ReviewGroup, bodies: Bodies
) -> None:
    person = create_person(
        username="newcomer",
        display_name="Newcomer of Finance",
        email="newcomer@example.com",
        roles=["reviewer"],
        groups=["finance"],
        caller=as_admin,
    )
    assert roles_of(person) == ["reviewer"]
    assert list(person.review_groups.all()) == [finance]
    assert not person.has_usable_password()
    (created,) = bodies("person.created")
    assert created["actor"] == {"kind": "person", "id": str(as_admin.user.pk), "auth": "session"}
    assert created["stream"] == f"person:{person.pk}"
    (changed,) = bodies("role.changed")
    assert changed["facts"] == {"person": str(person.pk), "added": ["reviewer"], "removed": []}
    (joined,) = bodies("group.joined")
    assert joined["facts"] == {"person": str(person.pk), "group": "finance"}


def test_names_and_addresses_stay_out_of_the_events(as_admin: Caller, db: None) -> None:
    create_person(
        username="newcomer",
        display_name="Newcomer of Finance",
        email="newcomer@example.com",
        caller=as_admin,
    )
    for event in Event.objects.all():
        assert b"ewcomer" not in bytes(event.body)


def test_a_user_name_is_taken_in_any_case(as_admin: Caller, reviewer: User) -> None:
    with pytest.raises(UsernameTaken):
        create_person(username="REVIEWER", caller=as_admin)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("username", {"username": "two words"}),
        ("username", {"username": ""}),
        ("email", {"email": "no address"}),
        ("display_name", {"display_name": "x" * 121}),
    ],
)
def test_a_person_that_does_not_hold_is_refused_by_field(
    as_admin: Caller, field: str, changes: dict[str, str]
) -> None:
    with pytest.raises(BadPerson) as refusal:
        create_person(**{"username": "newcomer", **changes}, caller=as_admin)
    assert list(refusal.value.errors) == [field]


def test_nothing_is_left_of_a_person_whose_role_or_group_does_not_exist(as_admin: Caller) -> None:
    with pytest.raises(UnknownRole):
        create_person(username="newcomer", roles=["emperor"], caller=as_admin)
    with pytest.raises(UnknownReviewGroup):
        create_person(username="newcomer", groups=["nowhere"], caller=as_admin)
    assert not User.objects.filter(username="newcomer").exists()
    assert not Event.objects.of_type("person.created").exists()


def test_roles_are_replaced_and_the_difference_recorded(
    as_admin: Caller, operator: User, bodies: Bodies
) -> None:
    assert set_roles(person=operator, roles=["auditor", "operator"], caller=as_admin)
    assert set_roles(person=operator, roles=["auditor"], caller=as_admin)
    assert not set_roles(person=operator, roles=["auditor"], caller=as_admin)
    assert roles_of(operator) == ["auditor"]
    assert [body["facts"] for body in bodies("role.changed")] == [
        {"person": str(operator.pk), "added": ["auditor"], "removed": []},
        {"person": str(operator.pk), "added": [], "removed": ["operator"]},
    ]


def test_the_last_admin_stays_admin(as_admin: Caller, bodies: Bodies) -> None:
    with pytest.raises(LastAdmin):
        set_roles(person=as_admin.user, roles=["reviewer"], caller=as_admin)
    assert roles_of(as_admin.user) == ["admin"]
    assert bodies("role.changed") == []


def test_an_admin_whose_account_is_closed_does_not_count(
    as_admin: Caller, second_admin: User
) -> None:
    User.objects.filter(pk=second_admin.pk).update(is_active=False)
    with pytest.raises(LastAdmin):
        set_roles(person=as_admin.user, roles=[], caller=as_admin)


def test_one_of_two_admins_may_go(as_admin: Caller, second_admin: User) -> None:
    set_roles(person=as_admin.user, roles=["reviewer"], caller=as_admin)
    assert roles_of(User.objects.get(pk=as_admin.user.pk)) == ["reviewer"]


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_demote_each_other_at_once_leave_one() -> None:
    pair = [create_person(username=name, roles=["admin"], caller=SYSTEM) for name in ("one", "two")]
    together = Barrier(2)
    refused: list[LastAdmin] = []

    def demote(person: User) -> None:
        try:
            together.wait(timeout=30)
            set_roles(person=person, roles=[], caller=SYSTEM)
        except LastAdmin as refusal:
            refused.append(refusal)
        finally:
            connections.close_all()

    threads = [Thread(target=demote, args=(person,)) for person in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(refused) == 1
    assert User.objects.with_role("admin").count() == 1


def test_joining_and_leaving_twice_is_one_event_each(
    as_admin: Caller, outsider: User, finance: ReviewGroup, bodies: Bodies
) -> None:
    assert join_group(person=outsider, group="finance", caller=as_admin)
    assert not join_group(person=outsider, group="finance", caller=as_admin)
    assert Membership.objects.filter(user=outsider, group=finance).count() == 1
    assert leave_group(person=outsider, group="finance", caller=as_admin)
    assert not leave_group(person=outsider, group="finance", caller=as_admin)
    assert not Membership.objects.filter(user=outsider).exists()
    assert len(bodies("group.joined")) == len(bodies("group.left")) == 1


def test_a_review_group_that_does_not_exist_cannot_be_joined_or_left(
    as_admin: Caller, outsider: User
) -> None:
    for service in (join_group, leave_group):
        with pytest.raises(UnknownReviewGroup):
            service(person=outsider, group="nowhere", caller=as_admin)


def test_a_review_group_is_set_up_once(as_admin: Caller, bodies: Bodies) -> None:
    group = create_group(slug="legal", title="Legal", caller=as_admin)
    with pytest.raises(BadReviewGroup):
        create_group(slug="legal", title="Legal again", caller=as_admin)
    assert ReviewGroup.objects.get(slug="legal") == group
    assert [body["facts"] for body in bodies("group.created")] == [{"group": "legal"}]


@pytest.mark.parametrize("who", ["reviewer", "operator", "auditor", "outsider"])
def test_nobody_but_an_admin_changes_people(
    request: pytest.FixtureRequest, who: str, finance: ReviewGroup
) -> None:
    caller = Caller.of_session(request.getfixturevalue(who))
    before = (User.objects.count(), Membership.objects.count(), ReviewGroup.objects.count())
    attempts = [
        lambda: create_person(username="newcomer", caller=caller),
        lambda: set_roles(person=caller.user, roles=["admin"], caller=caller),
        lambda: join_group(person=caller.user, group="finance", caller=caller),
        lambda: leave_group(person=caller.user, group="finance", caller=caller),
        lambda: create_group(slug="legal", title="Legal", caller=caller),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionMissing):
            attempt()
    assert before == (User.objects.count(), Membership.objects.count(), ReviewGroup.objects.count())
    assert "admin" not in roles_of(caller.user)

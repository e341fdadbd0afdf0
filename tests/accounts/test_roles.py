"""Roles are Django groups whose permissions the code decides."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from accounts.models import User
from accounts.roles import roles_of, sync_roles
from accounts.vocabulary import ROLES, RoleName, scopes_for

MATRIX = {
    "reviewer": {"decide_requests"},
    "operator": {"start_runs", "control_runs"},
    "auditor": {"read_audit", "export_audit", "read_everything"},
    "admin": {
        "start_runs",
        "control_runs",
        "decide_requests",
        "publish_policies",
        "manage_people",
        "manage_agents",
        "read_everything",
    },
    "sensitive-reader": {"read_sensitive"},
    "sticky-approver": {"grant_sticky_approvals"},
    "records-keeper": {"read_audit", "keep_records"},
}


def permissions_of(role: str) -> set[str]:
    return set(Permission.objects.filter(group__name=role).values_list("codename", flat=True))


def sync(using: str = "default") -> None:
    sync_roles(app_config=apps.get_app_config("accounts"), using=using, apps=apps)


@pytest.mark.parametrize("role", MATRIX)
def test_a_role_holds_exactly_its_permissions(db: None, role: str) -> None:
    assert permissions_of(role) == MATRIX[role]


def test_every_role_of_the_vocabulary_is_in_the_matrix() -> None:
    assert set(MATRIX) == set(ROLES)


def test_a_migration_takes_back_what_was_added_and_gives_back_what_was_removed(db: None) -> None:
    reviewer_role = Group.objects.get(name="reviewer")
    reviewer_role.permissions.set([Permission.objects.get(codename="manage_people")])
    sync()
    assert permissions_of("reviewer") == MATRIX["reviewer"]


@pytest.mark.django_db(databases=["default", "owner"])
def test_roles_are_written_with_the_login_that_migrates() -> None:
    Group.objects.using("owner").get(name="auditor").permissions.clear()
    sync(using="owner")
    held = Permission.objects.using("owner").filter(group__name="auditor")
    assert {permission.codename for permission in held} == MATRIX["auditor"]


def test_a_group_that_is_no_role_is_not_listed_as_one(reviewer: User) -> None:
    reviewer.groups.add(Group.objects.create(name="choir"))
    assert roles_of(reviewer) == ["reviewer"]


def test_whoever_holds_a_permission_is_found_once_however_they_hold_it(
    admin: User, operator: User, auditor: User
) -> None:
    operator.user_permissions.add(Permission.objects.get(codename="manage_people"))
    admin.user_permissions.add(Permission.objects.get(codename="manage_people"))
    root = User.objects.create(username="root", is_superuser=True)
    found = list(User.objects.holding("manage_people").order_by("username"))
    assert found == [admin, operator, root]
    assert auditor not in found


def test_a_closed_account_holds_nothing(admin: User) -> None:
    User.objects.filter(pk=admin.pk).update(is_active=False)
    assert not User.objects.holding("manage_people").exists()


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("reviewer", {"read", "decide"}),
        ("operator", {"read", "run"}),
        ("auditor", {"read", "audit"}),
        ("admin", {"read", "run", "decide", "admin"}),
        ("sensitive-reader", {"read"}),
        ("records-keeper", {"read", "audit"}),
    ],
)
def test_a_role_can_use_these_scopes(role: RoleName, scopes: set[str]) -> None:
    assert scopes_for(ROLES[role].permissions) == scopes

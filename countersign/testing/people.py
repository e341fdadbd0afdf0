"""People for tests: with roles, in review groups, and with one password."""

from __future__ import annotations

from functools import cache

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from accounts.models import Membership, ReviewGroup, User

PASSWORD = "a password of the tests"  # noqa: S105


@cache
def _hashed_password() -> str:
    # Hashing is slow on purpose; once is enough for a test process.
    return make_password(PASSWORD)


def person(username: str, *roles: str, groups: tuple[ReviewGroup, ...] = ()) -> User:
    """Find or make a person with these roles and review groups, and the password of the tests."""
    user = User.objects.filter(username=username).first() or User(username=username)
    user.email = f"{username}@example.com"
    user.password = _hashed_password()
    if user.pk:
        user.groups.clear()
    user.save()
    _give_roles(user, roles)
    Membership.objects.bulk_create(
        [Membership(user=user, group=group) for group in groups], ignore_conflicts=True
    )
    return user


def _give_roles(user: User, roles: tuple[str, ...]) -> None:
    through = User.groups.through
    known = _role_ids()
    through.objects.bulk_create([through(user=user, group_id=known[role]) for role in roles])


@cache
def _role_ids() -> dict[str, int]:
    # Roles come with the migrations: they are the same in every database of the tests.
    return dict(Group.objects.values_list("name", "pk"))

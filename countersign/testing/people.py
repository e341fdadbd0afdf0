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
    found, _ = User.objects.update_or_create(
        username=username,
        defaults={"email": f"{username}@example.com", "password": _hashed_password()},
    )
    found.groups.set(Group.objects.filter(name__in=roles))
    if found.groups.count() != len(roles):
        raise LookupError(f"one of the roles {roles} does not exist")
    for group in groups:
        Membership.objects.get_or_create(user=found, group=group)
    fresh: User = User.objects.get(pk=found.pk)
    return fresh

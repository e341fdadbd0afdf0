"""The standing characters. Usernames are those of the demo, so seeding finds them there."""

from collections.abc import Callable
from functools import cache

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Membership, ReviewGroup, User

PASSWORD = "a password of the tests"


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
    return User.objects.get(pk=found.pk)


@pytest.fixture
def finance(db: None) -> ReviewGroup:
    return ReviewGroup.objects.get_or_create(slug="finance", defaults={"title": "Finance"})[0]


@pytest.fixture
def support(db: None) -> ReviewGroup:
    return ReviewGroup.objects.get_or_create(slug="support", defaults={"title": "Support"})[0]


@pytest.fixture
def operator(db: None) -> User:
    """Starts runs; reviews nothing."""
    return person("operator", "operator")


@pytest.fixture
def reviewer(finance: ReviewGroup, support: ReviewGroup) -> User:
    return person("reviewer", "reviewer", groups=(finance, support))


@pytest.fixture
def second_reviewer(finance: ReviewGroup, support: ReviewGroup) -> User:
    return person("second-reviewer", "reviewer", groups=(finance, support))


@pytest.fixture
def admin(db: None) -> User:
    """Manages people, agents and policies; not a Django superuser."""
    return person("admin", "admin")


@pytest.fixture
def second_admin(db: None) -> User:
    return person("second-admin", "admin")


@pytest.fixture
def auditor(db: None) -> User:
    return person("auditor", "auditor")


@pytest.fixture
def outsider(db: None) -> User:
    """Signed in, with no role and no review group."""
    return person("outsider")


@pytest.fixture
def login() -> Callable[[Client, User], Client]:
    """`login(client, user)` signs the person in without the form and returns the client."""

    def sign_in(client: Client, user: User) -> Client:
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return sign_in

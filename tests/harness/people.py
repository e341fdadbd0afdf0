"""The standing characters. Usernames are those of the demo, so seeding finds them there."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import ReviewGroup, User
from countersign.testing.people import PASSWORD, person

__all__ = ["PASSWORD", "person"]


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

"""A session ends when it is over, and when the password changed; for pages and for sockets."""

import time
from collections.abc import Callable

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.open_sessions import BEGAN, is_open

Login = Callable[[Client, User], Client]
HOURS = 3600


def grown_old(client: Client, seconds: int) -> None:
    """The person signed in so long ago, and was busy since."""
    session = client.session
    session[BEGAN] = int(time.time()) - seconds
    session.save()


def test_a_session_is_over_after_twelve_hours_however_busy_it_was(
    client: Client, login: Login, reviewer: User
) -> None:
    login(client, reviewer)
    grown_old(client, 12 * HOURS - 60)
    assert client.get("/settings/").status_code == 200
    assert client.get("/api/v1/me").status_code == 200
    key = client.session.session_key
    grown_old(client, 12 * HOURS + 60)
    assert not is_open(str(key), reviewer)
    assert client.get("/settings/")["Location"] == "/accounts/login/?next=/settings/"
    assert client.get("/api/v1/me").status_code == 401
    assert not Session.objects.filter(pk=key).exists()


def test_the_settings_say_how_long(
    client: Client, login: Login, reviewer: User, settings: Settings
) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"session_seconds": 60.0})
    login(client, reviewer)
    grown_old(client, 61)
    assert client.get("/settings/").status_code == 302


def test_a_session_is_open_to_its_own_person_until_the_password_changes(
    client: Client, login: Login, reviewer: User, second_reviewer: User
) -> None:
    login(client, reviewer)
    key = str(client.session.session_key)
    assert is_open(key, reviewer)
    assert not is_open(key, second_reviewer)
    assert not is_open("unknown", reviewer)
    reviewer.set_password("another long and quiet password")
    reviewer.save()
    assert not is_open(key, reviewer)
    # What nobody signed in with opens nothing.
    session = client.session
    del session[HASH_SESSION_KEY]
    session.save()
    assert session[SESSION_KEY]
    assert not is_open(key, reviewer)

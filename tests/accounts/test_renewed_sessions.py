"""Whoever confirms that it is them gets a session of another key: a cookie that was copied before has none of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.confirmations import KEY
from accounts.models import User
from accounts.session_models import SignedIn
from tests.harness.factors import code, give_app
from tests.harness.people import PASSWORD

Confirm = Callable[[Client, User], None]


def by_code(client: Client, person: User) -> None:
    client.post("/settings/second-factor/confirm/", {"code": code()})


def by_password(client: Client, person: User) -> None:
    client.post("/settings/second-factor/password/", {"password": PASSWORD})


@pytest.mark.parametrize("confirm", [by_code, by_password])
def test_a_copied_cookie_has_nothing_of_a_confirmation(
    client: Client, reviewer: User, confirm: Confirm
) -> None:
    client.post("/accounts/login/", {"login": "reviewer", "password": PASSWORD})
    if confirm is by_code:
        give_app(reviewer)
    copied = client.session.session_key
    began = SignedIn.objects.get(pk=copied).began_at
    thief = Client()
    thief.cookies["sessionid"] = copied
    assert thief.get("/settings/").status_code == 200
    confirm(client, reviewer)
    assert client.session.session_key != copied
    assert client.get("/settings/").status_code == 200
    assert (KEY in client.session) == (confirm is by_code)
    assert thief.get("/settings/")["Location"].startswith("/accounts/login/")
    # The browser is listed once, as it was.
    (listed,) = SignedIn.objects.all()
    assert (listed.pk, listed.began_at) == (client.session.session_key, began)


def test_a_wrong_code_renews_nothing(client: Client, reviewer: User) -> None:
    client.post("/accounts/login/", {"login": "reviewer", "password": PASSWORD})
    give_app(reviewer)
    before = client.session.session_key
    client.post("/settings/second-factor/confirm/", {"code": "000000"})
    assert client.session.session_key == before

"""Settings: what is one's own, for everybody who is signed in."""

import re
from collections.abc import Callable
from typing import cast

import pytest
from django.http import HttpResponse
from django.test import Client

from accounts.models import ApiToken, User
from accounts.services.use_token import use_token
from tests.accounts.conftest import MakeToken

Login = Callable[[Client, User], Client]
PASSWORD = "a long enough word"
TOKEN = re.compile(r"cs_[0-9a-f]{12}_[0-9a-f]{64}")


@pytest.fixture
def desk(client: Client, login: Login, reviewer: User) -> Client:
    """A browser in which the reviewer is signed in."""
    reviewer.set_password(PASSWORD)
    reviewer.save()
    browser = login(client, reviewer)
    assert confirm(browser)["Location"] == "/settings/"
    return browser


def confirm(browser: Client) -> HttpResponse:
    """The person in it says the password again."""
    typed = {"password": PASSWORD, "next": "/settings/"}
    return cast("HttpResponse", browser.post("/settings/second-factor/password/", typed))


def test_an_open_session_alone_makes_no_token(client: Client, login: Login, reviewer: User) -> None:
    found = login(client, reviewer)
    page = found.get("/settings/").content.decode()
    assert "Confirm first that it is you." in page
    assert "Make the token" not in page
    # Back to where the token is made, not to the top of a long page.
    assert 'href="/settings/second-factor/password/?next=%2Fsettings%2F%23new"' in page
    answer = found.post("/settings/tokens/", {"name": "x", "scopes": ["read"], "lifetime": "30"})
    assert answer["Location"] == "/settings/second-factor/password/?next=%2Fsettings%2F"
    assert not ApiToken.objects.exists()
    reviewer.set_password(PASSWORD)
    reviewer.save()
    found = login(found, reviewer)
    assert confirm(found)["Location"] == "/settings/"
    page = found.get("/settings/").content.decode()
    assert "Make the token" in page
    # What is shown only once is in sight, and not below the fold.
    assert 'action="/settings/tokens/#tokens"' in page


def test_who_signs_out_elsewhere_is_told_that_tokens_hold(
    desk: Client, reviewer: User, make_token: MakeToken
) -> None:
    end = "/settings/sessions/end/"
    assert "all the same" not in desk.post(end, follow=True).content.decode()
    make_token(reviewer)
    said = "1 API token of yours holds all the same"
    assert said in desk.post(end, follow=True).content.decode()


def test_a_visitor_is_sent_to_sign_in(client: Client, reviewer: User) -> None:
    for path in ("/settings/", "/settings/tokens/"):
        for answer in (client.get(path), client.post(path, {"name": "x", "scopes": ["read"]})):
            assert answer.status_code == 405 or answer["Location"].startswith("/accounts/login/")
    assert not ApiToken.objects.exists()


def test_everybody_has_settings_even_without_a_role(
    client: Client, login: Login, outsider: User
) -> None:
    page = login(client, outsider).get("/settings/").content.decode()
    assert "None. An admin gives roles." in page


def test_roles_and_groups_are_shown(desk: Client) -> None:
    page = desk.get("/settings/").content.decode()
    assert "Reviewer" in page
    assert "Finance, Support" in page


def test_a_token_is_shown_once_and_works(desk: Client, reviewer: User) -> None:
    data = {"name": "nightly", "scopes": ["read"], "lifetime": "30"}
    answer = desk.post("/settings/tokens/", data)
    shown = TOKEN.findall(answer.content.decode())
    assert len(shown) == 1
    assert 'data-copy-field="new-token"' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    caller = use_token(presented=shown[0])
    assert caller.user == reviewer
    assert caller.scopes == {"read"}
    stored = ApiToken.objects.get()
    assert stored.expires_at is not None
    assert (stored.expires_at - stored.created_at).days == 30
    again = desk.get("/settings/").content.decode()
    assert "nightly" in again
    assert not TOKEN.search(again)


def test_a_token_may_be_good_until_it_is_revoked(desk: Client) -> None:
    desk.post("/settings/tokens/", {"name": "nightly", "scopes": ["read"], "lifetime": "endless"})
    assert ApiToken.objects.get().expires_at is None


def test_only_scopes_the_account_can_use_are_offered(desk: Client) -> None:
    page = desk.get("/settings/").content.decode()
    assert set(re.findall(r'name="scopes" value="(\w+)"', page)) == {"read", "decide"}


@pytest.mark.parametrize(
    "data",
    [
        {"name": "greedy", "scopes": ["admin"], "lifetime": "30"},
        {"name": "", "scopes": ["read"], "lifetime": "30"},
        {"name": "empty", "scopes": [], "lifetime": "30"},
        {"name": "undecided", "scopes": ["read"]},
        {"name": "timeless", "scopes": ["read"], "lifetime": "9999"},
    ],
)
def test_a_token_that_does_not_hold_is_not_made(desk: Client, data: dict[str, object]) -> None:
    answer = desk.post("/settings/tokens/", data)
    assert answer.status_code == 422
    assert not TOKEN.search(answer.content.decode())
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_gone(desk: Client, reviewer: User, make_token: MakeToken) -> None:
    make_token(reviewer)
    stored = ApiToken.objects.get()
    assert stored.prefix in desk.get("/settings/").content.decode()
    answer = desk.post(f"/settings/tokens/{stored.pk}/revoke/")
    assert answer["Location"] == "/settings/"
    assert stored.prefix not in desk.get("/settings/").content.decode()
    stored.refresh_from_db()
    assert stored.revoked_at is not None


def test_the_tokens_of_others_are_neither_shown_nor_revoked(
    desk: Client, admin: User, make_token: MakeToken
) -> None:
    make_token(admin)
    stored = ApiToken.objects.get()
    assert stored.prefix not in desk.get("/settings/").content.decode()
    assert desk.post(f"/settings/tokens/{stored.pk}/revoke/").status_code == 404
    stored.refresh_from_db()
    assert stored.revoked_at is None


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_the_theme_is_in_the_first_byte_of_the_next_page(desk: Client, theme: str) -> None:
    answer = desk.post("/theme", {"theme": theme, "next": "/settings/"})
    assert answer["Location"] == "/settings/"
    assert f'data-theme="{theme}"' in desk.get("/settings/").content.decode()

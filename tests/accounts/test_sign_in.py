"""Signing in and out: by user name, recorded, limited, and never by signing up."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import global_settings
from django.conf import settings as django_settings
from django.contrib.auth.hashers import get_hasher
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from redis import ConnectionError as RedisConnectionError

from accounts.invitations import invitation_url
from accounts.models import User
from accounts.services.change_password import change_password
from audit.models import Event
from tests.accounts.conftest import Bodies
from tests.harness.background import work
from tests.harness.people import PASSWORD

LOGIN = "/accounts/login/"
Login = Callable[[Client, User], Client]


def sign_in(client: Client, username: str, password: str, **more: str) -> object:
    return client.post(LOGIN, {"login": username, "password": password, **more})


def signed_in_as(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def test_the_form_has_what_a_password_manager_looks_for(client: Client, db: None) -> None:
    page = client.get(LOGIN).content.decode()
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert "csrfmiddlewaretoken" in page


@pytest.mark.parametrize(
    "path",
    [
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/password/reset/key/1-abc-def/",
        "/accounts/inactive/",
        "/accounts/signup/",
    ],
)
def test_whoever_is_not_signed_in_finds_the_way_back_from_every_page(
    client: Client, db: None, path: str
) -> None:
    page = client.get(path).content.decode()
    assert f'class="button" href="{LOGIN}' in page
    assert "placeholder=" not in page


def test_the_right_password_opens_the_page_that_was_asked_for(
    client: Client, reviewer: User
) -> None:
    asked = client.get("/settings/")
    assert asked["Location"] == f"{LOGIN}?next=/settings/"
    answer = sign_in(client, "reviewer", PASSWORD, next="/settings/")
    assert answer["Location"] == "/settings/"  # type: ignore[index]
    assert signed_in_as(client) == str(reviewer.pk)


def test_a_foreign_address_is_not_gone_to(client: Client, reviewer: User) -> None:
    answer = sign_in(client, "reviewer", PASSWORD, next="https://elsewhere.example/")
    assert answer["Location"] == "/"  # type: ignore[index]


def test_a_wrong_password_signs_nobody_in_and_names_nobody(client: Client, reviewer: User) -> None:
    wrong = sign_in(client, "reviewer", "wrong").content  # type: ignore[attr-defined]
    unknown = sign_in(client, "nobody-here", "wrong").content  # type: ignore[attr-defined]
    assert signed_in_as(client) is None
    sentence = b"are not correct"
    assert sentence in wrong
    assert sentence in unknown


def test_a_sign_in_is_recorded_without_the_address_in_the_event(
    client: Client, reviewer: User, bodies: Bodies
) -> None:
    client.post(LOGIN, {"login": "reviewer", "password": PASSWORD}, REMOTE_ADDR="203.0.113.9")
    (body,) = bodies("signin.succeeded")
    assert body["actor"] == {"kind": "person", "id": str(reviewer.pk), "auth": "session"}
    assert body["stream"] == f"person:{reviewer.pk}"
    assert len(body["_sd"]) == 1
    assert b"203.0.113.9" not in bytes(Event.objects.of_type("signin.succeeded").get().body)


def test_a_failed_sign_in_stands_in_the_story_of_the_account_it_names(
    client: Client, reviewer: User, bodies: Bodies
) -> None:
    sign_in(client, "Reviewer", "wrong")
    (body,) = bodies("signin.failed")
    assert body["stream"] == f"person:{reviewer.pk}"
    assert body["actor"] == {"kind": "system", "id": "sign-in", "auth": "none"}


def test_what_is_typed_for_an_unknown_account_is_kept_nowhere(
    client: Client, db: None, database_dump: Callable[[str], str], bodies: Bodies
) -> None:
    sign_in(client, "my-password-in-the-wrong-field", "x")
    (body,) = bodies("signin.failed")
    assert body["stream"] == "log"
    assert len(body["_sd"]) == 1
    assert "wrong-field" not in str(body)
    assert "wrong-field" not in database_dump("axes_accessattempt")


def test_signing_out_is_recorded_and_ends_the_session(
    client: Client, login: Login, reviewer: User, bodies: Bodies
) -> None:
    login(client, reviewer)
    assert client.get("/accounts/logout/").status_code == 200
    assert signed_in_as(client)
    client.post("/accounts/logout/")
    assert signed_in_as(client) is None
    (body,) = bodies("signout")
    assert body["stream"] == f"person:{reviewer.pk}"


def test_a_closed_account_does_not_get_in(client: Client, reviewer: User) -> None:
    User.objects.filter(pk=reviewer.pk).update(is_active=False)
    sign_in(client, "reviewer", PASSWORD)
    assert signed_in_as(client) is None


@pytest.fixture
def three_attempts(settings: Settings) -> None:
    """Sign-in closes after three failures: hashing ten passwords takes long, on purpose."""
    settings.AXES_FAILURE_LIMIT = 3


@pytest.mark.usefixtures("three_attempts")
def test_too_many_attempts_lock_even_the_right_password_out(
    client: Client, reviewer: User, second_reviewer: User
) -> None:
    for number in range(3):
        last = sign_in(client, ("reviewer", "REVIEWER")[number % 2], "wrong")
    assert last.status_code == 429  # type: ignore[attr-defined]
    locked = sign_in(client, "reviewer", PASSWORD)
    assert locked.status_code == 429  # type: ignore[attr-defined]
    assert b"Too many attempts" in locked.content  # type: ignore[attr-defined]
    assert signed_in_as(client) is None
    sign_in(client, "second-reviewer", PASSWORD)
    assert signed_in_as(client) == str(second_reviewer.pk)


@pytest.mark.usefixtures("three_attempts")
def test_a_few_mistakes_are_forgiven_by_the_right_password(client: Client, reviewer: User) -> None:
    for _ in range(2):
        for _ in range(2):
            sign_in(client, "reviewer", "wrong")
        sign_in(client, "reviewer", PASSWORD)
        assert signed_in_as(client) == str(reviewer.pk)
        client.logout()


def test_nobody_signs_up(client: Client, db: None) -> None:
    form = {
        "username": "newcomer",
        "email": "newcomer@example.com",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert b"Nobody signs up here" in client.get("/accounts/signup/").content
    assert b"Nobody signs up here" in client.post("/accounts/signup/", form).content
    assert not User.objects.exists()


@pytest.fixture
def invited(db: None) -> User:
    person = User(username="newcomer", email="newcomer@example.com")
    person.set_unusable_password()
    person.save()
    return person


def choose_password(client: Client, link: str, password: str) -> None:
    form = client.get(link, follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": password, "password2": password})


def test_an_invitation_lets_a_person_choose_a_password_once(
    client: Client, invited: User, bodies: Bodies
) -> None:
    link = invitation_url(invited)
    choose_password(client, link, "a long and quiet password")
    sign_in(client, "newcomer", "a long and quiet password")
    assert signed_in_as(client) == str(invited.pk)
    client.logout()
    assert b"no longer good" in client.get(link, follow=True).content
    (chosen,) = bodies("password.changed")
    assert chosen["facts"] == {"person": str(invited.pk), "how": "link"}
    assert (chosen["actor"]["kind"], chosen["actor"]["id"]) == ("system", "sign-in")


def test_a_link_is_worth_nothing_once_the_account_is_closed(client: Client, invited: User) -> None:
    link, password = invitation_url(invited), "a long and quiet password"
    form = client.get(link, follow=True).redirect_chain[-1][0]
    User.objects.filter(pk=invited.pk).update(is_active=False)
    answer = client.post(form, {"password1": password, "password2": password})
    assert b"no longer good" in answer.content
    assert b"no longer good" in Client().get(link, follow=True).content
    invited.refresh_from_db()
    assert not invited.has_usable_password()


def test_a_new_password_changes_nothing_else_of_the_account(invited: User) -> None:
    """Somebody closed it after the form had read it."""
    User.objects.filter(pk=invited.pk).update(is_active=False)
    request = RequestFactory().post("/")
    request.user = AnonymousUser()
    change_password(person=invited, password="a long and quiet password", request=request)
    invited.refresh_from_db()
    assert (invited.is_active, invited.has_usable_password()) == (False, True)


def test_a_password_is_kept_as_a_salted_hash_of_many_rounds(db: None) -> None:
    first, second = User(username="one"), User(username="two")
    for each in (first, second):
        each.set_password("a long and quiet password")
    assert first.password.startswith("pbkdf2_sha256$")
    assert first.password.split("$")[2:] != second.password.split("$")[2:]
    # Fewer only in the processes of tests, where hashing is not what is looked at.
    assert django_settings.PASSWORD_HASHERS == global_settings.PASSWORD_HASHERS


def test_a_weak_password_is_not_taken(client: Client, invited: User) -> None:
    link = invitation_url(invited)
    choose_password(client, link, "newcomer")
    invited.refresh_from_db()
    assert not invited.has_usable_password()


def test_a_forgotten_password_is_replaced_by_mail(client: Client, reviewer: User) -> None:
    client.post("/accounts/password/reset/", {"email": reviewer.email})
    # No worker is waited for: the page answers before anything is sent.
    assert mail.outbox == []
    work()
    (message,) = mail.outbox
    assert message.to == [reviewer.email]
    assert "/accounts/password/reset/key/" in message.body


def test_an_unknown_address_gets_no_mail_and_the_same_answer(
    client: Client, reviewer: User
) -> None:
    asked = {}
    for email in (reviewer.email, "nobody@example.com"):
        with CaptureQueriesContext(connection) as statements:
            answer = client.post("/accounts/password/reset/", {"email": email})
        asked[email] = (
            answer.status_code,
            answer["Location"],
            [
                said.split(" WHERE ")[0]
                for said in (statement["sql"] for statement in statements)
                # Counting requests is not about who is asked for.
                if "accounts_cache" not in said and "SAVEPOINT" not in said
            ],
        )
        jobs = work()
        assert (jobs, len(mail.outbox)) == (1, int(email == reviewer.email))
        mail.outbox.clear()
    known, unknown = asked.values()
    assert known == unknown


def test_whoever_forgot_their_password_is_mailed_while_redis_is_away(
    client: Client, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise RedisConnectionError

    monkeypatch.setattr("accounts.queues.put", away)
    client.post("/accounts/password/reset/", {"email": reviewer.email})
    (message,) = mail.outbox
    assert "/accounts/password/reset/key/" in message.body


def test_a_wrong_password_is_as_much_work_whoever_it_is_for(
    client: Client, reviewer: User, outsider: User, invited: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashing a password is nearly all of it: as often for nobody, somebody, a closed account and an invited one."""
    User.objects.filter(pk=outsider.pk).update(is_active=False)
    hashed: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode

    def counted(self: Any, password: str, *rest: Any, **more: Any) -> str:
        hashed.append(password)
        return str(encode(self, password, *rest, **more))

    monkeypatch.setattr(hasher, "encode", counted)
    found = {}
    for name in ("nobody-of-that-name", "reviewer", "outsider", "newcomer"):
        answer = sign_in(client, name, "not the password")
        page = re.sub(rb'value="[^"]*"|nonce[^ >]*', b"", answer.content)  # type: ignore[attr-defined]
        found[name] = (answer.status_code, len(hashed), page.replace(name.encode(), b""))  # type: ignore[attr-defined]
        hashed.clear()
    assert len(set(found.values())) == 1, {name: each[:2] for name, each in found.items()}
    assert found["reviewer"][1] == 1


@pytest.mark.parametrize(
    ("password", "is_taken"),
    [
        ("countersign2026", False),
        ("Reviewer-Approval1", False),
        ("countersign by the quiet sea", True),
        ("x" * 20 + " and forty more letters that nobody would ever guess at all", True),
    ],
)
def test_words_of_this_product_are_no_password(
    client: Client, invited: User, password: str, is_taken: bool
) -> None:
    choose_password(client, invitation_url(invited), password)
    invited.refresh_from_db()
    assert invited.check_password(password) is is_taken


def test_one_changes_ones_own_password(
    client: Client, login: Login, reviewer: User, bodies: Bodies
) -> None:
    login(client, reviewer)
    new = "another long and quiet password"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    answer = client.post("/accounts/password/change/", form)
    assert answer["Location"] == "/settings/"
    reviewer.refresh_from_db()
    assert reviewer.check_password(new)
    assert client.get("/settings/").status_code == 200
    (changed,) = bodies("password.changed")
    assert changed["facts"] == {"person": str(reviewer.pk), "how": "session"}
    assert changed["actor"]["id"] == str(reviewer.pk)

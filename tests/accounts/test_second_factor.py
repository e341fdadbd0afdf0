"""Second factors: added, asked for when signing in, good once, closed after guessing, reset by admins."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin as django_admin
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.callers import Caller
from accounts.confirmations import KEY
from accounts.errors import OwnFactors, PermissionMissing, SessionRequired
from accounts.models import FactorLock, User
from accounts.services.reset_factors import reset_factors
from tests.accounts.conftest import Bodies
from tests.harness.factors import CONFIRM, LOGIN, SECOND_STEP, code, confirm, give_app
from tests.harness.people import PASSWORD

Login = Callable[[Client, User], Client]
Dump = Callable[[str], str]
INDEX, ADD_APP, CODES = (f"/settings/second-factor/{part}" for part in ("", "app/", "codes/"))
ADD_PASSKEY = "/settings/second-factor/passkeys/add/"


@pytest.fixture
def inside(client: Client, login: Login, reviewer: User) -> Client:
    """The reviewer, signed in, who has just typed the password again."""
    login(client, reviewer)
    answer = client.post("/settings/second-factor/password/", {"password": PASSWORD})
    assert answer.status_code == 302
    return client


def type_password(client: Client, username: str = "reviewer") -> str:
    """Where the first step of signing in leads."""
    answer = client.post(LOGIN, {"login": username, "password": PASSWORD, "next": "/settings/"})
    assert answer.status_code == 302
    return str(answer["Location"])


def signed_in_as(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def shown_secret(client: Client) -> str:
    page = client.get(ADD_APP).content.decode()
    assert "<svg" in page
    found = re.search(r'id="secret"[^>]*>([A-Z2-7 ]+)<', page)
    assert found is not None
    return found[1]


def add_app(client: Client) -> tuple[str, list[str]]:
    """The secret that was shown, and the recovery codes."""
    secret = shown_secret(client)
    answer = client.post(ADD_APP, {"code": code(secret)})
    assert answer.status_code == 200, answer.content
    codes = re.findall(r"<li><code>(\d{8})</code></li>", answer.content.decode())
    return secret, codes


def test_an_app_is_added_by_the_code_that_it_shows(
    inside: Client, reviewer: User, bodies: Bodies
) -> None:
    secret = shown_secret(inside)
    assert inside.post(ADD_APP, {"code": code(secret, 7)}).status_code == 422
    assert not Authenticator.objects.exists()
    assert shown_secret(inside) == secret
    _, codes = add_app(inside)
    assert len(set(codes)) == 10
    (body,) = bodies("factor.added")
    assert body["actor"] == {"kind": "person", "id": str(reviewer.pk), "auth": "session"}
    assert body["facts"]["method"] == "authenticator_app"
    assert bodies("recovery_codes.made")[0]["facts"]["left"] == 10
    page = inside.get(INDEX).content.decode()
    assert "Remove the app" in page
    assert "10 are left" in page
    assert inside.get(ADD_APP).status_code == 200


def test_secrets_and_codes_stand_nowhere_in_the_clear(inside: Client, database_dump: Dump) -> None:
    pending = shown_secret(inside).replace(" ", "")
    stored = inside.session.decode(inside.session._get_session_from_db().session_data)  # type: ignore[attr-defined]
    assert pending not in str(stored)
    secret, codes = add_app(inside)
    secret = secret.replace(" ", "")
    assert secret == pending
    tables = ("mfa_authenticator", "audit_event", "audit_disclosure", "accounts_factorlock")
    kept = " ".join(database_dump(table) for table in tables)
    for hidden in (secret, code(secret), *codes):
        assert hidden not in kept
    for path in (INDEX, CODES, "/settings/"):
        page = inside.get(path).content.decode()
        assert not any(hidden in page for hidden in (secret, *codes))


def test_recovery_codes_are_downloaded_once(inside: Client) -> None:
    _, codes = add_app(inside)
    answer = inside.post(f"{CODES}download/")
    assert "attachment" in answer["Content-Disposition"]
    assert all(each in answer.content.decode() for each in codes)
    assert inside.post(f"{CODES}download/").status_code == 404


def test_adding_a_factor_confirms_nothing_and_spends_its_code(inside: Client) -> None:
    secret = shown_secret(inside)
    used = code(secret)
    assert inside.post(ADD_APP, {"code": used}).status_code == 200
    assert KEY not in inside.session
    assert inside.post(CONFIRM, {"code": used}).status_code == 422
    confirm(inside, secret, steps=1)
    assert KEY in inside.session


def test_signing_in_asks_for_the_second_factor(
    client: Client, reviewer: User, bodies: Bodies
) -> None:
    give_app(reviewer)
    assert type_password(client) == SECOND_STEP
    assert signed_in_as(client) is None
    assert client.get("/settings/").status_code == 302
    wrong = client.post(SECOND_STEP, {"code": "000000"})
    assert signed_in_as(client) is None
    assert b"not right" in wrong.content
    answer = client.post(SECOND_STEP, {"code": code()})
    assert answer["Location"] == "/settings/"
    assert signed_in_as(client) == str(reviewer.pk)
    assert len(bodies("signin.succeeded")) == 1
    (used,) = bodies("factor.used")
    assert (used["facts"]["method"], used["facts"]["purpose"]) == ("authenticator_app", "sign_in")
    (failed,) = bodies("factor.failed")
    assert failed["actor"]["kind"] == "system"


def test_whoever_starts_again_is_asked_for_the_password(client: Client, reviewer: User) -> None:
    give_app(reviewer)
    type_password(client)
    assert client.get(LOGIN)["Location"] == SECOND_STEP
    client.post("/accounts/logout/")
    assert client.get(LOGIN).status_code == 200
    assert client.get(SECOND_STEP)["Location"] == LOGIN


def test_passkeys_from_one_address_are_limited_for_all_processes(
    client: Client, db: None, database_dump: Dump
) -> None:
    answers = [
        client.post("/accounts/login/passkey/", {"credential": "{}"}).status_code for _ in range(11)
    ]
    assert answers == [302] * 10 + [429]
    assert "webauthn_login" in database_dump("accounts_cache")


def test_a_code_is_good_once_for_every_process(client: Client, reviewer: User) -> None:
    give_app(reviewer)
    type_password(client)
    used = code()
    client.post(SECOND_STEP, {"code": used})
    other = Client()
    type_password(other)
    other.post(SECOND_STEP, {"code": used})
    assert signed_in_as(other) is None
    other.post(SECOND_STEP, {"code": code(steps=1)})
    assert signed_in_as(other) == str(reviewer.pk)


def test_a_recovery_code_is_good_once(inside: Client, bodies: Bodies) -> None:
    _, codes = add_app(inside)
    other, third = Client(), Client()
    for visitor in (other, third):
        type_password(visitor)
        visitor.post(SECOND_STEP, {"code": codes[3]})
    assert signed_in_as(other) is not None
    assert signed_in_as(third) is None
    (used,) = bodies("factor.used")
    assert (used["facts"]["method"], used["facts"]["left"]) == ("recovery_code", 9)


def test_new_recovery_codes_end_the_old_ones(inside: Client, reviewer: User) -> None:
    _, old = add_app(inside)
    answer = inside.post(CODES)
    new = re.findall(r"<li><code>(\d{8})</code></li>", answer.content.decode())
    assert len(new) == 10
    assert not set(old) & set(new)
    assert inside.post(CONFIRM, {"code": old[0]}).status_code == 422
    assert inside.post(CONFIRM, {"code": new[0]}).status_code == 302


def test_wrong_codes_close_the_way_for_a_while_for_every_process(
    client: Client, reviewer: User, settings: Settings, bodies: Bodies
) -> None:
    give_app(reviewer)
    limit = settings.COUNTERSIGN.second_factor_attempts
    type_password(client)
    for _ in range(limit):
        client.post(SECOND_STEP, {"code": "000000"})
    other = Client()
    type_password(other)
    closed = other.post(SECOND_STEP, {"code": code()})
    assert b"Too many wrong codes" in closed.content
    assert signed_in_as(other) is None
    assert [body["facts"]["closed"] for body in bodies("factor.failed")] == [False] * 4 + [True]

    def let_time_pass() -> FactorLock:
        lock = FactorLock.objects.get(user=reviewer)
        assert lock.closed_until is not None
        FactorLock.objects.update(closed_until=timezone.now() - timedelta(seconds=1))
        return lock

    first = let_time_pass().closed_until
    other.post(SECOND_STEP, {"code": "000000"})
    second = let_time_pass().closed_until
    assert first is not None
    assert second is not None
    assert second - first > timedelta(seconds=settings.COUNTERSIGN.second_factor_lock_seconds * 0.9)
    other.post(SECOND_STEP, {"code": code()})
    assert signed_in_as(other) == str(reviewer.pk)
    assert FactorLock.objects.get(user=reviewer).failures == 0


def test_who_has_a_factor_confirms_with_it_and_not_with_the_password(
    client: Client, login: Login, reviewer: User
) -> None:
    app = give_app(reviewer)
    login(client, reviewer)
    for path in (ADD_APP, ADD_PASSKEY, CODES, f"/settings/second-factor/{app.pk}/remove/"):
        for answer in (client.get(path), client.post(path)):
            assert answer["Location"].startswith(CONFIRM)
    password = client.post("/settings/second-factor/password/", {"password": PASSWORD})
    assert password["Location"].startswith(CONFIRM)
    assert client.get(CODES)["Location"].startswith(CONFIRM)
    confirm(client)
    assert client.get(CODES).status_code == 200


def test_who_has_none_confirms_with_the_password(
    client: Client, login: Login, reviewer: User, bodies: Bodies
) -> None:
    login(client, reviewer)
    way = client.get(ADD_APP)["Location"]
    assert unquote(way) == f"/settings/second-factor/password/?next={ADD_APP}"
    assert client.post(way, {"password": "wrong"}).status_code == 422
    assert client.get(ADD_APP).status_code == 302
    answer = client.post(way, {"password": PASSWORD, "next": ADD_APP})
    assert answer["Location"] == ADD_APP
    assert client.get(ADD_APP).status_code == 200
    assert len(bodies("signin.confirmed")) == 1
    away = client.post(way, {"password": PASSWORD, "next": "https://elsewhere.example/"})
    assert away["Location"] == INDEX


def test_the_last_factor_takes_its_recovery_codes_along(
    inside: Client, reviewer: User, bodies: Bodies
) -> None:
    add_app(inside)
    app = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert (
        "recovery codes go with it"
        in inside.get(f"/settings/second-factor/{app.pk}/remove/").content.decode()
    )
    assert inside.post(f"/settings/second-factor/{app.pk}/remove/").status_code == 302
    assert not Authenticator.objects.exists()
    removed = [body["facts"]["method"] for body in bodies("factor.removed")]
    assert removed == ["authenticator_app", "recovery_code"]
    assert type_password(Client()) == "/settings/"


def test_renaming_a_passkey_is_recorded_without_its_name(
    inside: Client, reviewer: User, bodies: Bodies
) -> None:
    passkey = Authenticator.objects.create(
        user=reviewer, type=Authenticator.Type.WEBAUTHN, data={"name": "old"}
    )
    answer = inside.post(f"{INDEX}passkeys/{passkey.pk}/", {"name": "My key"})
    assert answer.status_code == 302
    passkey.refresh_from_db()
    assert passkey.data["name"] == "My key"
    (body,) = bodies("factor.renamed")
    assert "My key" not in str(body)


def test_nobody_removes_or_renames_what_is_not_theirs(inside: Client, admin: User) -> None:
    app = give_app(admin)
    for path in (f"{app.pk}/remove/", f"passkeys/{app.pk}/"):
        for answer in (inside.get(f"{INDEX}{path}"), inside.post(f"{INDEX}{path}", {"name": "x"})):
            assert answer.status_code == 404
    assert Authenticator.objects.filter(pk=app.pk).exists()


def test_an_admin_resets_after_confirming_and_reads_nothing(
    client: Client, login: Login, admin: User, reviewer: User, bodies: Bodies
) -> None:
    app = give_app(reviewer)
    login(client, admin)
    page = f"/people/{reviewer.pk}/"
    shown = client.get(page).content.decode()
    assert "Reset the second factor" in shown
    assert str(app.data["secret"]) not in shown
    reset = f"{page}second-factor/reset/"
    assert client.post(reset)["Location"].startswith("/settings/second-factor/password/")
    assert Authenticator.objects.exists()
    client.post("/settings/second-factor/password/", {"password": PASSWORD})
    assert client.get(reset).status_code == 200
    assert client.post(reset)["Location"] == page
    assert not Authenticator.objects.exists()
    (body,) = bodies("factor.reset")
    assert body["actor"]["id"] == str(admin.pk)
    assert body["facts"] == {"person": str(reviewer.pk), "removed": 1}
    assert body["stream"] == f"person:{reviewer.pk}"


def test_only_who_manages_people_resets_and_never_their_own(
    client: Client, login: Login, admin: User, second_reviewer: User, reviewer: User
) -> None:
    give_app(reviewer)
    give_app(admin)
    login(client, second_reviewer)
    assert client.post(f"/people/{reviewer.pk}/second-factor/reset/").status_code == 403
    with pytest.raises(PermissionMissing):
        reset_factors(person=reviewer, caller=Caller.of_session(second_reviewer))
    token = Caller(user=admin, auth="token:7", scopes=frozenset({"admin"}))
    with pytest.raises(SessionRequired):
        reset_factors(person=reviewer, caller=token)
    with pytest.raises(OwnFactors):
        reset_factors(person=admin, caller=Caller.of_session(admin))
    assert Authenticator.objects.count() == 2


def test_djangos_admin_is_no_way_around_it(client: Client, reviewer: User) -> None:
    User.objects.filter(pk=reviewer.pk).update(is_staff=True, is_superuser=True)
    give_app(reviewer)
    page = client.get("/django-admin/login/")
    assert page["Location"].startswith(LOGIN)
    client.post("/django-admin/login/", {"username": "reviewer", "password": PASSWORD})
    assert signed_in_as(client) is None
    assert Authenticator not in django_admin.site._registry


def test_another_secret_key_is_said_aloud_and_lets_nobody_in(
    client: Client, reviewer: User, settings: Settings
) -> None:
    give_app(reviewer)
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another key"
    type_password(client)
    answer = client.post(SECOND_STEP, {"code": code()})
    assert b"secret key changed" in answer.content
    assert signed_in_as(client) is None
    settings.SECRET_KEY = old
    type_password(client)
    client.post(SECOND_STEP, {"code": code()})
    assert signed_in_as(client) == str(reviewer.pk)


@pytest.mark.parametrize(
    "credential", ["", "null", "7", "[]", "{}", '{"id": 1}', '{"response": {"userHandle": 1}}', "{"]
)
def test_what_is_no_passkey_is_refused(
    client: Client, login: Login, reviewer: User, inside: Client, credential: str
) -> None:
    assert inside.post(ADD_PASSKEY, {"name": "x", "credential": credential}).status_code == 422
    give_app(reviewer)
    assert inside.post(CONFIRM, {"credential": credential}).status_code == 422
    visitor = Client()
    visitor.get("/accounts/login/passkey/", headers={"Accept": "application/json"})
    answer = visitor.post("/accounts/login/passkey/", {"credential": credential})
    assert answer["Location"] == LOGIN
    type_password(visitor)
    assert visitor.post(SECOND_STEP, {"credential": credential}).status_code == 200
    assert signed_in_as(visitor) is None


def test_the_browser_is_told_what_to_ask_a_passkey_for(client: Client, db: None) -> None:
    answer = client.get("/accounts/login/passkey/", headers={"Accept": "application/json"})
    options = json.loads(answer.content)["request_options"]["publicKey"]
    assert options["userVerification"] == "required"
    assert options["rpId"] == "testserver"


def test_a_confirmation_leads_to_no_foreign_address(
    client: Client, login: Login, reviewer: User
) -> None:
    give_app(reviewer)
    login(client, reviewer)
    answer = client.post(CONFIRM, {"code": code(), "next": "//elsewhere.example/"})
    assert answer["Location"] == INDEX

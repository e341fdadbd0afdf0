"""Signing in at an identity provider: a real one in a process of its own, which also lies."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.confirmations import KEY
from accounts.models import LinkedIdentity, ReviewGroup, User
from accounts.oidc import metadata
from accounts.roles import roles_of
from accounts.services.link_identity import link_identity
from tests.accounts.conftest import SYSTEM, Bodies
from tests.harness.background import work
from tests.harness.factors import code, give_app
from tests.harness.identity_provider import CLIENT_ID, IdentityProvider
from tests.harness.people import PASSWORD, person

SIGN_IN = "/accounts/oidc/login/"
CALLBACK = "/accounts/oidc/callback/"
SUBJECT = "248289761001"
CLAIMS = {
    "email": "newcomer@example.com",
    "email_verified": True,
    "preferred_username": "newcomer",
    "name": "A Newcomer",
    "groups": ["staff", "finance-leads"],
}


@dataclass
class Desk:
    """A browser at the sign-in page, and the provider that it is sent to."""

    client: Client
    provider: IdentityProvider
    settings: Settings

    def set(self, **settings: object) -> None:
        config = self.settings.COUNTERSIGN
        self.settings.COUNTERSIGN = config.model_copy(update=settings)

    def leave(self, path: str = SIGN_IN, **form: str) -> str:
        """Where the browser goes on to."""
        answer = self.client.post(path, form)
        assert answer.status_code == 200, answer.content
        return str(answer["Refresh"].partition("url=")[2])

    def back(self, address: str, subject: str = SUBJECT) -> str:
        """Where the provider sends the browser that came to this address."""
        there = urlsplit(self.provider.signs_in(address, subject))
        return f"{there.path}?{there.query}"

    def sign_in(self, subject: str = SUBJECT, **form: str) -> Any:
        return self.client.get(self.back(self.leave(**form), subject))

    def confirm(self, subject: str = SUBJECT, **form: str) -> Any:
        return self.client.get(self.back(self.leave("/accounts/oidc/confirm/", **form), subject))

    @property
    def user(self) -> User | None:
        key = self.client.session.get("_auth_user_id")
        return User.objects.get(pk=key) if key else None


@pytest.fixture
def desk(client: Client, identity_provider: IdentityProvider, settings: Settings, db: None) -> Desk:
    """Members of the group staff may come in; leads of finance are reviewers, in Finance."""
    metadata.forget()
    identity_provider.knows(SUBJECT, **CLAIMS)
    desk = Desk(client, identity_provider, settings)
    desk.set(
        **identity_provider.settings(
            oidc_groups=("staff",),
            oidc_roles={"finance-leads": ("reviewer",), "heads": ("admin",)},
            oidc_review_groups={"finance-leads": ("finance",), "lost": ("no-such-group",)},
        )
    )
    return desk


@pytest.fixture
def admitted(desk: Desk, finance: ReviewGroup, admin: User) -> User:
    """Somebody who signed in once."""
    desk.sign_in()
    assert desk.user is not None
    return desk.user


def test_somebody_signs_in_for_the_first_time(
    desk: Desk, finance: ReviewGroup, bodies: Bodies
) -> None:
    anonymous = desk.client.session
    anonymous["planted"] = True
    anonymous.save()
    desk.client.cookies["sessionid"] = anonymous.session_key
    answer = desk.sign_in(next="/settings/")
    assert (answer.status_code, answer["Location"]) == (302, "/settings/")
    newcomer = desk.user
    assert newcomer is not None
    assert (newcomer.username, newcomer.display_name) == ("newcomer", "A Newcomer")
    assert not newcomer.has_usable_password()
    assert roles_of(newcomer) == ["reviewer"]
    assert [group.slug for group in newcomer.review_groups.all()] == ["finance"]
    # A session that somebody else prepared is not the one that is signed in.
    assert desk.client.session.session_key != anonymous.session_key
    (linked,) = bodies("identity.linked")
    assert linked["facts"] == {
        "person": str(newcomer.pk),
        "issuer": desk.provider.url,
        "how": "created",
    }
    assert SUBJECT not in str(linked)
    assert linked["actor"]["id"] == "identity-provider"
    (signed_in,) = bodies("signin.succeeded")
    assert signed_in["facts"] == {"method": "identity_provider"}
    assert [body["facts"]["added"] for body in bodies("role.changed")] == [["reviewer"]]
    (asked,) = desk.provider.seen()
    assert asked["code_challenge_method"] == "S256"
    assert asked["client_id"] == CLIENT_ID
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert len(asked["state"]) > 40
    assert len(asked["nonce"]) > 40


def test_who_is_known_is_known_by_the_subject_alone(desk: Desk, admitted: User) -> None:
    desk.client.logout()
    desk.provider.knows(
        SUBJECT, **CLAIMS | {"email": "other@example.com", "preferred_username": "x"}
    )
    desk.sign_in()
    assert desk.user == admitted
    assert User.objects.filter(username="x").count() == 0


def test_what_the_provider_takes_away_is_gone_at_the_next_sign_in(
    desk: Desk, admitted: User, bodies: Bodies
) -> None:
    desk.client.logout()
    desk.provider.knows(SUBJECT, **CLAIMS | {"groups": ["staff", "strangers", 7, None]})
    desk.sign_in()
    assert desk.user == admitted
    assert roles_of(admitted) == []
    assert not admitted.review_groups.exists()
    assert bodies("role.changed")[-1]["facts"]["removed"] == ["reviewer"]
    assert bodies("group.left")[-1]["facts"]["group"] == "finance"


def test_who_no_longer_belongs_is_out_and_loses_what_they_had(
    desk: Desk, admitted: User, bodies: Bodies
) -> None:
    desk.client.logout()
    desk.provider.knows(SUBJECT, **CLAIMS | {"groups": ["finance-leads"]})
    answer = desk.sign_in()
    assert answer.status_code == 403
    assert b"not_admitted" in answer.content
    assert desk.user is None
    assert roles_of(admitted) == []
    assert bodies("signin.refused")[-1]["facts"] == {"why": "not_allowed"}


def test_a_group_that_is_not_there_is_nobodys(desk: Desk, admitted: User) -> None:
    desk.client.logout()
    desk.provider.knows(SUBJECT, **CLAIMS | {"groups": ["staff", "lost"]})
    desk.sign_in()
    assert desk.user == admitted
    assert not admitted.review_groups.exists()


def test_the_last_admin_neither_stays_one_by_signing_in_nor_leaves_none(
    desk: Desk, bodies: Bodies
) -> None:
    desk.provider.knows(SUBJECT, **CLAIMS | {"groups": ["staff", "heads"]})
    desk.sign_in()
    head = desk.user
    assert head is not None
    assert roles_of(head) == ["admin"]
    desk.client.logout()
    desk.provider.knows(SUBJECT, **CLAIMS)
    assert desk.sign_in().status_code == 403
    assert desk.user is None
    assert roles_of(head) == ["admin"]
    assert bodies("signin.refused")[-1]["facts"] == {"why": "last_admin"}


@pytest.mark.parametrize(
    ("terms", "claims"),
    [
        ({"oidc_groups": ()}, {}),
        ({"oidc_groups": ("others",)}, {}),
        ({"oidc_domains": ("example.com",)}, {"email_verified": False}),
        ({"oidc_domains": ("example.com",)}, {"email_verified": "true"}),
        ({"oidc_domains": ("example.com",)}, {"email": "x@example.com.evil.example"}),
        ({"oidc_domains": ("example.com",)}, {"email": "x@sub.example.com"}),
        ({"oidc_domains": ("example.com",)}, {"email": "x@evil.example, y@example.com"}),
        ({"oidc_groups_claim": "roles"}, {}),
        ({}, {"groups": {"staff": True}}),
    ],
)
def test_strangers_are_not_let_in(
    desk: Desk, terms: dict[str, Any], claims: dict[str, Any], bodies: Bodies
) -> None:
    desk.set(**terms)
    desk.provider.knows(SUBJECT, **CLAIMS | claims)
    answer = desk.sign_in()
    assert answer.status_code == 403
    assert desk.user is None
    assert not User.objects.filter(username="newcomer").exists()
    assert len(bodies("signin.refused")) == 1


def test_a_verified_domain_lets_in(desk: Desk) -> None:
    desk.set(oidc_groups=(), oidc_domains=("Example.COM",))
    desk.sign_in()
    assert desk.user is not None


def test_an_account_that_is_there_is_not_taken_over_and_not_doubled(
    desk: Desk, bodies: Bodies
) -> None:
    there = person("newcomer")
    assert desk.sign_in().status_code == 403
    desk.provider.knows(SUBJECT, **CLAIMS | {"preferred_username": "another"})
    User.objects.filter(pk=there.pk).update(username="somebody", email="Newcomer@example.com")
    assert desk.sign_in().status_code == 403
    assert bodies("signin.refused")[-1]["facts"] == {"why": "taken"}
    assert User.objects.count() == 1


def test_an_account_is_linked_by_a_verified_address_where_the_settings_say_so(
    desk: Desk, bodies: Bodies
) -> None:
    there = person("somebody")
    User.objects.filter(pk=there.pk).update(email="newcomer@example.com")
    desk.set(oidc_link_by_email=True)
    desk.provider.knows(SUBJECT, **CLAIMS | {"email_verified": False, "preferred_username": "y"})
    desk.sign_in()
    assert desk.user != there
    User.objects.filter(username="y").delete()
    desk.client.logout()
    for above in ({"is_superuser": True}, {"is_staff": True}):
        User.objects.filter(pk=there.pk).update(**above)
        desk.provider.knows(SUBJECT, **CLAIMS)
        assert desk.sign_in().status_code == 403
        User.objects.filter(pk=there.pk).update(is_superuser=False, is_staff=False)
    desk.sign_in()
    assert desk.user == there
    assert bodies("identity.linked")[-1]["facts"]["how"] == "email"
    desk.client.logout()
    # Another subject with the same address, such as that of a namesake who came later, is somebody else.
    desk.provider.knows("another-subject", **CLAIMS)
    assert desk.sign_in("another-subject").status_code == 403


def test_a_closed_account_stays_out(desk: Desk, admitted: User, bodies: Bodies) -> None:
    desk.client.logout()
    User.objects.filter(pk=admitted.pk).update(is_active=False)
    answer = desk.sign_in()
    assert answer.status_code == 403
    assert b"closed" in answer.content
    assert desk.user is None
    assert bodies("signin.refused")[-1]["stream"] == f"person:{admitted.pk}"


LATER = 10**10
LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": None}},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "another audience": {"claims": {"aud": "another-client"}},
    "several audiences, another party": {"claims": {"aud": [CLIENT_ID, "x"], "azp": "x"}},
    "several audiences, no party": {"claims": {"aud": [CLIENT_ID, "x"]}},
    "expired": {"claims": {"exp": int(time.time()) - 3600}},
    "no end": {"claims": {"exp": None}},
    "from the future": {"claims": {"iat": LATER}},
    "nobody": {"claims": {"sub": ""}},
    "no subject": {"claims": {"sub": None}},
    "a number for a subject": {"claims": {"sub": 7}},
    "another access token": {"claims": {"at_hash": "AAAA"}},
    "unsigned": {"alg": "none", "key": "none"},
    "signed with the client's secret": {"alg": "HS256", "key": "secret"},
    "signed with the public key as a secret": {"alg": "HS256", "key": "public"},
    "signed by a stranger": {"key": "other"},
    "a key that is not published": {"header": {"kid": "another"}},
    "somebody else's userinfo": {"userinfo": {"sub": "another"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_does_not_fit_opens_nothing(
    desk: Desk, lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk.provider.lies(**LIES[lie])
    answer = desk.sign_in()
    assert answer.status_code == 403, answer.content
    assert b"identity_refused" in answer.content
    assert desk.user is None
    assert not User.objects.exists()
    assert not LinkedIdentity.objects.exists()


def test_state_and_code_are_good_once_and_in_the_browser_that_left(desk: Desk) -> None:
    back = desk.back(desk.leave())
    assert Client().get(back).status_code == 403
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert desk.client.get(f"{CALLBACK}?code=x&state={state}x").status_code == 403
    assert desk.client.get(back).status_code == 302
    desk.client.logout()
    assert desk.client.get(back).status_code == 403
    # The same code, brought to a sign-in of somebody else's: PKCE and the provider refuse it.
    used = parse_qs(urlsplit(back).query)["code"][0]
    fresh = desk.back(desk.leave())
    stolen = re.sub(r"code=[^&]+", f"code={used}", fresh)
    assert desk.client.get(stolen).status_code == 403
    assert desk.user is None


def test_an_unused_code_is_worth_nothing_to_another_browser(desk: Desk) -> None:
    stolen = parse_qs(urlsplit(desk.back(desk.leave())).query)["code"][0]
    other = Desk(Client(), desk.provider, desk.settings)
    state = parse_qs(urlsplit(other.leave()).query)["state"][0]
    answer = other.client.get(f"{CALLBACK}?code={stolen}&state={state}")
    assert answer.status_code == 403
    assert other.user is None


def test_the_answer_of_another_provider_is_refused(desk: Desk) -> None:
    back = desk.back(desk.leave())
    assert desk.client.get(f"{back}&iss=https://evil.example").status_code == 403
    desk.provider.lies(metadata={"authorization_response_iss_parameter_supported": True})
    metadata.forget()
    assert desk.sign_in().status_code == 403


@pytest.mark.parametrize(
    "lie",
    [
        {"metadata": {"issuer": "https://evil.example"}},
        {"metadata": {"token_endpoint": "http://evil.example/token"}},
        {"metadata": {"jwks_uri": "file:///etc/passwd"}},
        {"metadata": {"id_token_signing_alg_values_supported": ["none", "HS256"]}},
    ],
)
def test_a_provider_that_describes_itself_badly_is_not_gone_to(
    desk: Desk, lie: dict[str, Any]
) -> None:
    desk.provider.lies(**lie)
    answer = desk.client.post(SIGN_IN)
    assert answer.status_code == 503
    assert b"identity_provider_away" in answer.content


def test_a_provider_that_is_away_is_said_to_be(desk: Desk, settings: Settings) -> None:
    desk.provider.lies(token_status=500)
    assert desk.sign_in().status_code == 503
    metadata.forget()
    # Nothing listens there.
    desk.set(oidc_issuer="http://127.0.0.1:9")
    answer = desk.client.post(SIGN_IN)
    assert answer.status_code == 503
    assert b"does not answer" in answer.content
    assert b"127.0.0.1:9" not in answer.content
    assert desk.client.get("/accounts/login/").status_code == 200


def test_ending_it_there_signs_nobody_in(desk: Desk) -> None:
    state = parse_qs(urlsplit(desk.leave()).query)["state"][0]
    answer = desk.client.get(f"{CALLBACK}?error=access_denied&state={state}")
    assert answer.status_code == 403
    assert b"identity_cancelled" in answer.content
    assert "access_denied<" not in answer.content.decode()


def test_where_none_is_set_there_is_no_such_way(client: Client, db: None) -> None:
    assert client.post(SIGN_IN).status_code == 404
    assert client.get(CALLBACK).status_code == 404
    assert b"Example Login" not in client.get("/accounts/login/").content


def test_a_foreign_address_is_not_gone_on_to(desk: Desk) -> None:
    for foreign in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1"):
        assert desk.sign_in(next=foreign)["Location"] == "/"
        desk.client.logout()


# -- second factor ------------------------------------------------------------------------------


def test_a_second_factor_of_ones_own_is_still_asked_for(desk: Desk, admitted: User) -> None:
    give_app(admitted)
    desk.client.logout()
    assert desk.sign_in()["Location"].startswith("/accounts/login/second-factor/")
    assert desk.user is None
    # What a provider says counts only where the settings say so.
    desk.provider.lies(claims={"amr": ["mfa"]})
    assert desk.sign_in()["Location"].startswith("/accounts/login/second-factor/")
    desk.client.post("/accounts/login/second-factor/", {"code": code()})
    assert desk.user == admitted


@pytest.mark.parametrize("claims", [{"amr": ["pwd", "mfa"]}, {"acr": "mfa"}])
def test_the_providers_second_factor_stands_for_it_where_the_settings_say_so(
    desk: Desk, admitted: User, claims: dict[str, Any]
) -> None:
    give_app(admitted)
    desk.client.logout()
    desk.set(oidc_second_factor=("mfa",))
    assert desk.sign_in()["Location"].startswith("/accounts/login/second-factor/")
    # Only the signed token counts.
    desk.provider.lies(userinfo=claims)
    assert desk.sign_in()["Location"].startswith("/accounts/login/second-factor/")
    old = int(time.time()) - 7200
    desk.provider.lies(claims=claims | {"auth_time": old})
    assert desk.sign_in()["Location"] == "/"
    assert desk.user == admitted
    # It was hours ago, and stands for nothing that asks for a fresh one.
    kept = desk.client.session[KEY]
    assert kept["at"].startswith(time.strftime("%Y-%m-%dT%H:%M", time.gmtime(old)))


def test_confirming_at_the_provider(desk: Desk, admitted: User, bodies: Bodies) -> None:
    desk.set(oidc_second_factor=("mfa",))
    desk.provider.lies(claims={"amr": ["mfa"]})
    answer = desk.confirm(next="/inbox/")
    assert answer["Location"] == "/inbox/"
    asked = desk.provider.seen()[-1]
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")
    assert desk.client.session[KEY]["issuer"] == desk.provider.url
    assert bodies("signin.confirmed")[-1]["facts"] == {"method": "identity_provider"}


@pytest.mark.parametrize(
    ("claims", "subject"),
    [
        ({"amr": ["mfa"], "auth_time": 1_000_000_000}, SUBJECT),
        ({"amr": ["mfa"], "auth_time": None}, SUBJECT),
        ({"amr": ["mfa"], "auth_time": "now"}, SUBJECT),
        ({"amr": ["mfa"]}, "another"),
    ],
)
def test_somebody_else_or_an_old_sign_in_confirms_nothing(
    desk: Desk, admitted: User, claims: dict[str, Any], subject: str, bodies: Bodies
) -> None:
    desk.set(oidc_second_factor=("mfa",))
    desk.provider.lies(claims=claims)
    assert desk.confirm(subject).status_code == 403
    assert KEY not in desk.client.session
    assert bodies("signin.confirmed") == []
    assert desk.user == admitted


def test_without_a_second_factor_at_the_provider_only_the_person_is_confirmed(
    desk: Desk, admitted: User
) -> None:
    desk.set(oidc_second_factor=("mfa",))
    # Adding a first factor asks for more than an open session: here, the provider.
    asked = desk.client.get("/settings/second-factor/app/")
    assert asked["Location"].startswith("/accounts/oidc/confirm/")
    desk.confirm()
    assert KEY not in desk.client.session
    assert desk.client.get("/settings/second-factor/app/").status_code == 200


def test_a_password_at_the_provider_replaces_no_second_factor_of_ones_own(
    desk: Desk, admitted: User
) -> None:
    desk.set(oidc_second_factor=("mfa",))
    give_app(admitted)
    desk.confirm()
    for page in ("app", "codes"):
        asked = desk.client.get(f"/settings/second-factor/{page}/")
        assert asked.status_code == 302, page
        assert "confirm" in asked["Location"]


# -- passwords ----------------------------------------------------------------------------------


def signs_in_with_password(client: Client, username: str) -> bool:
    client.post("/accounts/login/", {"login": username, "password": PASSWORD})
    return "_auth_user_id" in client.session


def test_who_came_by_the_provider_gets_no_password(
    desk: Desk, admitted: User, admin: User, login: Callable[[Client, User], Client]
) -> None:
    form = {"password1": "a long and quiet password", "password2": "a long and quiet password"}
    for path in ("/accounts/password/set/", "/accounts/password/change/"):
        assert desk.client.post(path, form)["Location"] == "/settings/"
    admitted.refresh_from_db()
    assert not admitted.has_usable_password()
    asked = Client().post("/accounts/password/reset/", {"email": admitted.email})
    work()
    assert asked["Location"] == "/accounts/password/reset/done/"
    assert not any("/reset/key/" in each.body for each in mail.outbox)
    # Nor does an admin get a link with which they could come in as the reviewer.
    page = login(Client(), admin).post(f"/people/{admitted.pk}/invitation/", follow=True)
    assert b"/password/reset/key/" not in page.content


def test_passwords_are_switched_off_but_for_the_emergency_account(
    desk: Desk, reviewer: User, admin: User, bodies: Bodies, django_capture_on_commit_callbacks: Any
) -> None:
    desk.set(passwords=False, break_glass=("Admin",))
    link_identity(
        person=reviewer, issuer=desk.provider.url, subject="r", how="command", caller=SYSTEM
    )
    assert not signs_in_with_password(Client(), "reviewer")
    assert not signs_in_with_password(Client(), "REVIEWER")
    Client().post("/accounts/password/reset/", {"email": reviewer.email})
    work()
    assert not any("/reset/key/" in each.body for each in mail.outbox)
    with django_capture_on_commit_callbacks(execute=True):
        assert signs_in_with_password(Client(), "admin")
    assert bodies("signin.succeeded")[-1]["facts"] == {"method": "password", "why": "break_glass"}
    assert "emergency account" in mail.outbox[-1].subject
    page = Client().get("/accounts/login/").content.decode()
    assert "<details" in page
    assert "Sign in with Example Login" in page


def test_a_link_for_a_password_is_worth_nothing_once_they_are_off(
    desk: Desk, reviewer: User
) -> None:
    Client().post("/accounts/password/reset/", {"email": reviewer.email})
    work()
    (link,) = re.findall(r"https?://[^/]+(/accounts/password/reset/key/\S+)", mail.outbox[-1].body)
    desk.set(passwords=False)
    page = Client().get(link, follow=True)
    assert b"no longer good" in page.content


# -- signing out --------------------------------------------------------------------------------


def test_signing_out_goes_on_to_the_provider_where_the_settings_say_so(
    desk: Desk, admitted: User
) -> None:
    answer = desk.client.post("/accounts/logout/")
    assert answer["Location"] == "/accounts/login/"
    desk.set(oidc_sign_out=True)
    desk.sign_in()
    answer = desk.client.post("/accounts/logout/")
    assert desk.user is None
    there = urlsplit(answer["Refresh"].partition("url=")[2])
    assert there.path == "/oauth2/end_session"
    back = parse_qs(there.query)["post_logout_redirect_uri"]
    assert back == [f"{desk.settings.COUNTERSIGN.address}/accounts/login/"]


# -- linking by hand ----------------------------------------------------------------------------


def test_the_command_links_and_unlinks(
    desk: Desk, reviewer: User, admin: User, bodies: Bodies, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.set(oidc_groups=(), oidc_roles=None, oidc_review_groups=None)
    call_command("link_identity", "Reviewer", SUBJECT)
    assert capsys.readouterr().out == f"reviewer signs in at {desk.provider.url}.\n"
    desk.sign_in()
    assert desk.user == reviewer
    # Where the settings do not speak of roles, those that admins gave stay.
    assert roles_of(reviewer) == ["reviewer"]
    with pytest.raises(CommandError, match="linked to somebody already"):
        call_command("link_identity", "admin", SUBJECT)
    call_command("link_identity", "reviewer", "--remove")
    desk.client.logout()
    assert desk.sign_in().status_code == 403
    assert bodies("signin.refused")[-1]["facts"] == {"why": "unknown"}
    assert [body["facts"]["person"] for body in bodies("identity.unlinked")] == [str(reviewer.pk)]
    with pytest.raises(CommandError, match="not linked"):
        call_command("link_identity", "reviewer", "--remove")

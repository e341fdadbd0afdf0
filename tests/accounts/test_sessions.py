"""Where one is signed in: listed for oneself alone, and ended from elsewhere."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client

from accounts import session_uses
from accounts.browsers import MOST_LISTED
from accounts.callers import Caller
from accounts.devices import device_of
from accounts.errors import SessionRequired, TokenRefused, UnknownSession
from accounts.models import SignedIn, User
from accounts.services.end_sessions import (
    end_other_sessions,
    end_session,
    end_sessions_of,
)
from accounts.services.use_token import use_token
from audit.clock import database_now
from tests.accounts.conftest import Bodies, MakeToken

PASSWORD = "a long enough password"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0"
)


def browser(user: User, user_agent: str) -> Client:
    """A browser in which the person signed in, by the form."""
    if not user.check_password(PASSWORD):
        user.set_password(PASSWORD)
        user.save()
    client = Client(headers={"user-agent": user_agent})
    answer = client.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/settings/").status_code == 200


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (FIREFOX, "Firefox on Linux"),
        (PHONE, "Safari on iPhone"),
        (EDGE, "Edge on Windows"),
        ("curl/8", "Another browser"),
        ("", "Another browser"),
        ("Android " * 900, "Android"),
    ],
)
def test_a_browser_is_called_what_people_call_it(sent: str, said: str) -> None:
    assert device_of(sent) == said


def test_every_other_browser_is_signed_out_and_this_one_is_not(
    reviewer: User, operator: User, bodies: Bodies
) -> None:
    here, phone = browser(reviewer, FIREFOX), browser(reviewer, PHONE)
    somebody = browser(operator, EDGE)
    page = here.get("/settings/").content.decode()
    assert page.index("Firefox on Linux") < page.index("This one") < page.index("Safari on iPhone")
    assert "Edge on Windows" not in page
    assert here.post("/settings/sessions/end/").status_code == 302
    assert [is_signed_in(each) for each in (here, phone, somebody)] == [True, False, True]
    assert [body["facts"] for body in bodies("sessions.ended")] == [{"ended": 1}]
    assert "Sign out everywhere else" not in here.get("/settings/").content.decode()


def handle_in(page: str, device: str) -> str:
    """What the session in that browser is called on the page of settings."""
    found = re.search(rf"{device}.*?/settings/sessions/([0-9a-f]{{32}})/end/", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_one_browser_is_signed_out_and_no_other(
    reviewer: User, operator: User, bodies: Bodies
) -> None:
    here, phone, edge = (browser(reviewer, each) for each in (FIREFOX, PHONE, EDGE))
    page = here.get("/settings/").content.decode()
    for key in Session.objects.values_list("pk", flat=True):
        assert key not in page
    handle = handle_in(page, "Safari on iPhone")
    # It is one's own alone to end.
    with pytest.raises(UnknownSession):
        end_session(handle=handle, caller=Caller.of_session(operator))
    url = f"/settings/sessions/{handle}/end/"
    assert here.get(url).status_code == 405
    assert "Safari on iPhone is signed out." in here.post(url, follow=True).content.decode()
    assert [is_signed_in(each) for each in (here, phone, edge)] == [True, False, True]
    assert [body["facts"] for body in bodies("session.ended")] == [{"session": handle}]
    assert "not signed in there any more" in here.post(url, follow=True).content.decode()
    assert len(bodies("session.ended")) == 1


def test_the_last_use_of_a_browser_is_noted_once_a_minute(reviewer: User) -> None:
    here, phone = browser(reviewer, FIREFOX), browser(reviewer, PHONE)
    key = phone.session.session_key
    long_ago = database_now() - timedelta(hours=3)
    SignedIn.objects.filter(pk=key).update(last_used_at=long_ago)
    assert "3 h ago" in here.get("/settings/").content.decode()
    # This process has seen it a moment ago, and does not ask the database again.
    phone.get("/settings/")
    assert SignedIn.objects.get(pk=key).last_used_at == long_ago
    session_uses.forget_uses()
    phone.get("/settings/")
    used = SignedIn.objects.get(pk=key).last_used_at
    assert used > long_ago + timedelta(hours=2)
    # Nor does a process that has not, where the row says that it was noted within the minute.
    session_uses.forget_uses()
    phone.get("/settings/")
    assert SignedIn.objects.get(pk=key).last_used_at == used


def test_ending_none_is_no_event(reviewer: User, bodies: Bodies) -> None:
    here = browser(reviewer, FIREFOX)
    assert here.post("/settings/sessions/end/").status_code == 302
    assert is_signed_in(here)
    assert bodies("sessions.ended") == []


def test_a_browser_that_signed_out_is_not_listed(reviewer: User) -> None:
    here, phone = browser(reviewer, FIREFOX), browser(reviewer, PHONE)
    phone.post("/accounts/logout/")
    assert "Safari on iPhone" not in here.get("/settings/").content.decode()
    assert SignedIn.objects.count() == 1


def test_a_changed_password_leaves_this_browser_noted_and_lists_no_other(reviewer: User) -> None:
    here, phone = browser(reviewer, FIREFOX), browser(reviewer, PHONE)
    new = "another long enough password"
    asked = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post("/accounts/password/change/", asked).status_code == 302
    page = here.get("/settings/").content.decode()
    assert "Safari on iPhone" not in page
    assert "not known" not in page
    assert [is_signed_in(each) for each in (here, phone)] == [True, False]


def test_the_list_has_an_end(reviewer: User) -> None:
    here = browser(reviewer, FIREFOX)
    for _ in range(MOST_LISTED + 2):
        Client().force_login(get_user_model().objects.get(pk=reviewer.pk))
    page = here.get("/settings/").content.decode()
    assert page.count('data-label="Browser">Another browser') == MOST_LISTED


def test_a_token_ends_no_session(reviewer: User, make_token: MakeToken) -> None:
    caller = use_token(presented=make_token(reviewer))
    with pytest.raises(SessionRequired):
        end_other_sessions(keep="", caller=caller)
    with pytest.raises(SessionRequired):
        end_session(handle="", caller=caller)


def test_an_admin_signs_somebody_out_everywhere(
    reviewer: User, second_reviewer: User, admin: User, bodies: Bodies, make_token: MakeToken
) -> None:
    here, phone = browser(reviewer, FIREFOX), browser(reviewer, PHONE)
    other, office = browser(second_reviewer, FIREFOX), browser(admin, FIREFOX)
    path = f"/people/{reviewer.pk}/sessions/end/"
    # Nobody without the right, and no program.
    assert other.post(path).status_code == 403
    with pytest.raises(SessionRequired):
        end_sessions_of(person=reviewer, caller=use_token(presented=make_token(admin)))
    assert is_signed_in(here)
    assert "Sign out everywhere" in office.get(f"/people/{reviewer.pk}/").content.decode()
    page = office.post(path, follow=True).content.decode()
    assert "is signed out everywhere" in page
    assert [is_signed_in(each) for each in (here, phone, other, office)] == [
        False,
        False,
        True,
        True,
    ]
    (ended,) = bodies("person.signed_out")
    assert ended["facts"] == {"person": str(reviewer.pk), "ended": 2}
    assert ended["actor"]["id"] == str(admin.pk)
    assert "was signed in nowhere" in office.post(path, follow=True).content.decode()
    assert len(bodies("person.signed_out")) == 1


def test_tokens_of_somebody_who_is_signed_out_everywhere_are_revoked_where_the_admin_wishes_it(
    reviewer: User, operator: User, admin: User, make_token: MakeToken, bodies: Bodies
) -> None:
    bearer, another = make_token(reviewer), make_token(operator)
    path = f"/people/{reviewer.pk}/sessions/end/"
    office = browser(admin, EDGE)
    assert "Revoke their 1 API token too" in office.get(f"/people/{reviewer.pk}/").content.decode()
    office.post(path)
    assert use_token(presented=bearer).user == reviewer
    page = office.post(path, {"tokens": "on"}, follow=True).content.decode()
    assert "1 API token of theirs is revoked." in page
    assert "Revoke their" not in page
    with pytest.raises(TokenRefused):
        use_token(presented=bearer)
    assert use_token(presented=another).user == operator
    (revoked,) = bodies("token.revoked")
    assert revoked["actor"]["id"] == str(admin.pk)

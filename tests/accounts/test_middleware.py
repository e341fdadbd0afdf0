"""Who is asking: the session or the token that was presented, never one in place of the other."""

from collections.abc import Callable

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.test import AsyncClient, Client, RequestFactory

from accounts import middleware
from accounts.callers import Caller
from accounts.doors import BearerToken, BrowserSession
from accounts.errors import CsrfFailed
from accounts.middleware import CallerMiddleware
from accounts.models import User
from tests.accounts.conftest import MakeToken

ME = "/api/v1/me"
Login = Callable[[Client, User], Client]
Bearer = Callable[..., Client]


def test_an_anonymous_visitor_is_told_how_to_come_in(client: Client, db: None) -> None:
    answer = client.get(ME)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "authentication_required"


def test_a_session_is_a_caller_with_every_scope(
    client: Client, login: Login, reviewer: User
) -> None:
    me = login(client, reviewer).get(ME).json()
    assert me["username"] == "reviewer"
    assert me["auth"] == "session"
    assert me["scopes"] == ["read", "run", "decide", "audit", "admin"]


def test_a_token_is_a_caller_with_its_scopes(bearer: Bearer, reviewer: User) -> None:
    me = bearer(reviewer, "read").get(ME).json()
    assert me["auth"].startswith("token:")
    assert me["scopes"] == ["read"]
    assert me["roles"] == ["reviewer"]
    assert me["permissions"] == ["decide_requests"]
    assert me["groups"] == [
        {"slug": "finance", "title": "Finance"},
        {"slug": "support", "title": "Support"},
    ]


def test_the_scheme_is_read_in_any_case(
    client: Client, reviewer: User, make_token: MakeToken
) -> None:
    answer = client.get(ME, headers={"Authorization": f"bearer {make_token(reviewer)}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer cs_0_0", "Basic cmV2aWV3ZXI6cHc=", "Token x", "cs_0_0"],
)
def test_a_wrong_authorization_is_refused_though_a_session_travels_along(
    client: Client, login: Login, reviewer: User, header: str
) -> None:
    answer = login(client, reviewer).get(ME, headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "token_refused"


def test_a_token_is_who_asks_though_the_session_is_somebody_else(
    client: Client, login: Login, admin: User, reviewer: User, make_token: MakeToken
) -> None:
    login(client, admin)
    answer = client.get(ME, headers={"Authorization": f"Bearer {make_token(reviewer)}"})
    assert answer.json()["username"] == "reviewer"


def test_a_token_opens_no_page_and_neither_does_the_session_beside_it(
    client: Client, login: Login, admin: User, make_token: MakeToken
) -> None:
    login(client, admin)
    answer = client.get("/people/", headers={"Authorization": f"Bearer {make_token(admin)}"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_code_that_asks_for_the_user_of_a_token_request_finds_nobody(
    rf: RequestFactory, admin: User, make_token: MakeToken
) -> None:
    seen: list[HttpRequest] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request)
        return HttpResponse()

    request = rf.get(ME, headers={"Authorization": f"Bearer {make_token(admin)}"})
    request.user = admin
    CallerMiddleware(view)(request)
    assert seen[0].user.is_anonymous
    assert seen[0].caller.user == admin  # type: ignore[attr-defined]


def test_an_asynchronous_request_knows_its_caller_too(
    async_client: AsyncClient, login: Login, reviewer: User
) -> None:
    get = async_to_sync(async_client.get)
    assert get(ME).status_code == 401
    login(async_client, reviewer)  # type: ignore[arg-type]
    assert get(ME).json()["username"] == "reviewer"
    assert get(ME, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_an_asynchronous_chain_never_reaches_the_view_with_a_wrong_token(
    rf: RequestFactory, db: None
) -> None:
    async def view(_request: HttpRequest) -> HttpResponse:
        raise AssertionError("the view must not be reached")

    request = rf.get(ME, headers={"Authorization": "Bearer wrong"})
    chain = CallerMiddleware(view)
    assert iscoroutinefunction(chain)
    assert async_to_sync(chain)(request).status_code == 401  # type: ignore[type-var]


def test_a_database_that_is_away_is_said_so_and_not_a_wrong_token(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> Caller:
        raise OperationalError

    monkeypatch.setattr(middleware, "use_token", away)
    answer = client.get(ME, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"


def asked(rf: RequestFactory, caller: Caller | None, **headers: str) -> HttpRequest:
    request = rf.post("/api/v1/anything", headers=headers)
    request.caller = caller  # type: ignore[attr-defined]
    return request


def test_a_session_needs_the_csrf_token_on_unsafe_methods(
    rf: RequestFactory, reviewer: User
) -> None:
    door = BrowserSession()
    caller = Caller.of_session(reviewer)
    with pytest.raises(CsrfFailed):
        door(asked(rf, caller))
    safe = rf.get("/api/v1/anything")
    safe.caller = caller  # type: ignore[attr-defined]
    assert door(safe) is caller
    token = get_token(rf.get("/"))
    request = asked(rf, caller, **{"X-CSRFToken": token})
    request.COOKIES[settings.CSRF_COOKIE_NAME] = token
    assert door(request) is caller


def test_a_token_needs_no_csrf_token(rf: RequestFactory, reviewer: User) -> None:
    caller = Caller(user=reviewer, auth="token:1", scopes=frozenset({"read"}))
    assert BearerToken()(asked(rf, caller)) is caller
    assert BrowserSession()(asked(rf, caller)) is None
    assert BearerToken()(asked(rf, Caller.of_session(reviewer))) is None
    assert BearerToken()(asked(rf, None)) is None
    assert BrowserSession()(asked(rf, None)) is None

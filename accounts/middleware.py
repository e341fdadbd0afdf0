"""Puts `request.caller` on every request: a Caller, or None for an anonymous visitor.

Stands after Django's AuthenticationMiddleware. A request that presents a token is never answered
with the rights of a session that happens to travel along.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from asgiref.sync import sync_to_async
from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.contrib.auth.models import AnonymousUser
from django.db import OperationalError
from django.utils.functional import SimpleLazyObject

from accounts.both_ways import BothWays
from accounts.callers import Caller
from accounts.errors import TokenRefused
from accounts.open_sessions import is_over
from accounts.problems import problem, refused
from accounts.services.use_token import use_token
from accounts.session_uses import note_use
from accounts.sessions import SessionStore

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from accounts.models import User

API: Final = "/api/"
#: What a change rests on is asked for where it is made, and so after every wait for a lock.
READS: Final = ("GET", "HEAD", "OPTIONS")


class PersonMiddleware(AuthenticationMiddleware):
    """Django's, with the person taken from what was read with the session."""

    def process_request(self, request: "HttpRequest") -> None:
        """Set `request.user`; who it is, is looked up where somebody asks."""
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: person_of(request))  # type: ignore[assignment]


def person_of(request: "HttpRequest") -> "User | AnonymousUser":
    """Who the session of the request is of. Django says so wherever anything is not as it should be."""
    session = request.session
    known = session.known() if isinstance(session, SessionStore) else None
    if known is not None:
        request._cached_user = known.user  # type: ignore[attr-defined]
        if request.method in READS:
            request._known_caller = known.caller()  # type: ignore[attr-defined]
    found: User | AnonymousUser = get_user(request)
    return found


class CallerMiddleware(BothWays):
    def __call__(self, request: "HttpRequest") -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        if self.is_async:
            return self._answer_async(request)
        return identify(request) or self.get_response(request)

    async def _answer_async(self, request: "HttpRequest") -> "HttpResponseBase":
        # Most probes carry neither: they need no thread and no database.
        if "Authorization" in request.headers or request.COOKIES:
            refusal = await sync_to_async(identify)(request)
        else:
            refusal = identify(request)
        if refusal is not None:
            return refusal
        return await cast("Awaitable[HttpResponseBase]", self.get_response(request))


def identify(request: "HttpRequest") -> "HttpResponse | None":
    """Set `request.caller`; the answer to give instead of the view, if the token is refused."""
    request.caller = None  # type: ignore[attr-defined]
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if request.path.startswith(API) and "Authorization" in request.headers:
        forget_session(request)
        return _identify_token(request, scheme, credentials.strip())
    if scheme.lower() == "bearer":
        forget_session(request)  # tokens open the API, no page
        return None
    if request.user.is_authenticated and is_over(request.session):
        request.session.flush()
        forget_session(request)
    if request.user.is_authenticated:
        known: Caller | None = getattr(request, "_known_caller", None)
        request.caller = known or Caller.of_session(request.user)  # type: ignore[attr-defined]
        if key := request.session.session_key:
            note_use(key)
    return None


def _identify_token(request: "HttpRequest", scheme: str, credentials: str) -> "HttpResponse | None":
    try:
        if scheme.lower() != "bearer":
            raise TokenRefused
        request.caller = use_token(presented=credentials)  # type: ignore[attr-defined]
    except TokenRefused as refusal:
        return refused(request, refusal)
    except OperationalError:
        return problem(
            request,
            HTTPStatus.SERVICE_UNAVAILABLE,
            code="database_unavailable",
            detail="The database does not answer. Nothing was changed; try again shortly.",
        )
    return None


def forget_session(request: "HttpRequest") -> None:
    """Code that asks for request.user instead of request.caller finds nobody: it fails closed."""
    nobody = AnonymousUser()

    async def auser() -> AnonymousUser:
        return nobody

    request.user = nobody
    request.auser = auser

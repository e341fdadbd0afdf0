"""How the API knows its callers: CallerMiddleware has looked, these accept or refuse."""

from typing import TYPE_CHECKING, cast

from django.conf import settings
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from accounts.errors import CsrfFailed

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.callers import Caller


def caller_of(request: "HttpRequest") -> "Caller | None":
    """Who asks, as CallerMiddleware found; None for an anonymous visitor."""
    return cast("Caller | None", request.caller)  # type: ignore[attr-defined]


def signed_in(request: "HttpRequest") -> "Caller":
    """Who asks, behind a door that lets no anonymous visitor in."""
    caller = caller_of(request)
    if caller is None:
        raise RuntimeError("this stands behind login_required or the API's authentication")
    return caller


class BearerToken(AuthBase):
    """`Authorization: Bearer cs_…`. Needs no CSRF token: a browser never sends it by itself."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: "HttpRequest") -> "Caller | None":
        caller = caller_of(request)
        return caller if caller is not None and caller.is_token else None


class BrowserSession(AuthBase):
    """The session cookie of a signed-in person, with the CSRF token on unsafe methods."""

    openapi_type = "apiKey"
    openapi_in = "cookie"

    def __init__(self) -> None:
        self.openapi_name = settings.SESSION_COOKIE_NAME
        super().__init__()

    def __call__(self, request: "HttpRequest") -> "Caller | None":
        caller = caller_of(request)
        if caller is None or caller.is_token:
            return None
        if check_csrf(request) is not None:
            raise CsrfFailed
        return caller

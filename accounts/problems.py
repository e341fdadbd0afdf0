"""Problem documents (RFC 9457): how a refusal looks to a program."""

import json
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from django.http import HttpResponse

from accounts.errors import TokenRefused
from audit.canonical import MalformedJson
from audit.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooLarge,
    Unavailable,
    Unsigned,
)

if TYPE_CHECKING:
    from django.http import HttpRequest

CONTENT_TYPE: Final = "application/problem+json"

# The first class that fits, most specific first.
STATUSES: Final[tuple[tuple[type[Refusal], HTTPStatus], ...]] = (
    (TokenRefused, HTTPStatus.UNAUTHORIZED),
    (Unsigned, HTTPStatus.UNAUTHORIZED),
    (MalformedJson, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (Conflict, HTTPStatus.CONFLICT),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
)

TITLES: Final[dict[HTTPStatus, str]] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


def status_of(refusal: Refusal) -> HTTPStatus:
    for kind, status in STATUSES:
        if isinstance(refusal, kind):
            return status
    raise TypeError(f"{type(refusal).__name__} is a Refusal of no known kind")


def problem(
    request: "HttpRequest",
    status: HTTPStatus,
    *,
    code: str,
    detail: str,
    params: dict[str, Any] | None = None,
    **members: Any,
) -> HttpResponse:
    """A problem document. `params` holds what a program needs to act on the code."""
    document = {
        **_document(status, code=code, detail=detail, instance=request.path, params=params or {}),
        **members,
    }
    response = HttpResponse(
        json.dumps(document, default=_plain), status=status, content_type=CONTENT_TYPE
    )
    response["Cache-Control"] = "no-store"
    # Said here, since some of these are made outside the middleware that would say it.
    response["Content-Length"] = str(len(response.content))
    if status is HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="countersign"'
    return response


def document_of(refusal: Refusal, *, instance: str) -> dict[str, Any]:
    """The problem document of a refusal that stands inside another answer."""
    return _document(
        status_of(refusal),
        code=refusal.code,
        detail=refusal.detail,
        instance=instance,
        params=json.loads(json.dumps(refusal.params, default=_plain)),
    )


def _document(
    status: HTTPStatus, *, code: str, detail: str, instance: str, params: dict[str, Any]
) -> dict[str, Any]:
    return {
        "type": f"urn:countersign:problem:{code}",
        "title": TITLES.get(status, status.phrase),
        "status": int(status),
        "detail": detail,
        "code": code,
        "instance": instance,
        "params": params,
    }


def _plain(value: object) -> str:
    """Params hold what a client sent, such as numbers beyond 64 bits; these keep their own form."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def refused(request: "HttpRequest", refusal: Refusal) -> HttpResponse:
    """The problem document of a domain refusal, which it carries along as `refusal`."""
    response = problem(
        request,
        status_of(refusal),
        code=refusal.code,
        detail=refusal.detail,
        params=refusal.params,
    )
    if "retry_after_seconds" in refusal.params:
        response["Retry-After"] = str(refusal.params["retry_after_seconds"])
    response.refusal = refusal  # type: ignore[attr-defined]
    return response

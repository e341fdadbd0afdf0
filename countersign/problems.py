"""What answers below /api/ when the API itself never saw the request: still a problem document.

Unknown addresses, methods that an address does not take, hosts that are not ours, failures in
another middleware. Stands outside CallerMiddleware. It also records refused access, after whatever
was rolled back.
"""

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError

from accounts.both_ways import BothWays
from accounts.errors import PermissionMissing, ScopeMissing
from accounts.middleware import API
from accounts.problems import CONTENT_TYPE, problem
from audit.errors import Forbidden, Refusal
from audit.services.refusals import record_refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from accounts.callers import Caller

log = logging.getLogger(__name__)

DETAILS: Final[dict[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "The request cannot be read.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address. See /api/v1/docs.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take this method. See the Allow header.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed here. A change and its record are written "
    "together or not at all.",
}
KEPT_HEADERS: Final = ("Allow", "Retry-After")


class ProblemMiddleware(BothWays):
    def __call__(self, request: "HttpRequest") -> "HttpResponseBase | Awaitable[HttpResponseBase]":
        if self.is_async:
            return self._answer_async(request)
        response = as_problem(request, cast("HttpResponseBase", self.get_response(request)))
        if was_refused(request, response):
            record_refused_access(request, response)
        return response

    async def _answer_async(self, request: "HttpRequest") -> "HttpResponseBase":
        answer = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        response = as_problem(request, answer)
        if was_refused(request, response):
            await sync_to_async(record_refused_access)(request, response)
        return response

    @staticmethod
    def process_exception(request: "HttpRequest", exception: Exception) -> None:
        """A page refused: the 403 page that comes of it does not carry the exception."""
        if isinstance(exception, PermissionDenied):
            request.permission_denied = True  # type: ignore[attr-defined]


def as_problem(request: "HttpRequest", response: "HttpResponseBase") -> "HttpResponseBase":
    """The response itself, or a problem document in place of an error of another kind."""
    if (
        not request.path.startswith(API)
        or response.status_code < HTTPStatus.BAD_REQUEST
        or response.get("Content-Type") == CONTENT_TYPE
    ):
        return response
    status = HTTPStatus(response.status_code)
    document = problem(
        request,
        status,
        code="internal_error"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR
        else status.name.lower(),
        detail=DETAILS.get(status, status.description or status.phrase),
    )
    for name in KEPT_HEADERS:
        if name in response:
            document[name] = response[name]
    return document


def was_refused(request: "HttpRequest", response: "HttpResponseBase") -> bool:
    """A known caller asked for what their account or token does not carry."""
    return getattr(request, "caller", None) is not None and (
        hasattr(request, "permission_denied")
        or isinstance(_refusal(response), PermissionMissing | ScopeMissing)
    )


def record_refused_access(request: "HttpRequest", response: "HttpResponseBase") -> None:
    """Write the event. A log that cannot be written does not turn a refusal into something else."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    refusal = _refusal(response) or Forbidden("This page needs a permission.")
    match = request.resolver_match
    try:
        record_refusal(
            refusal=refusal,
            type="access.refused",
            actor=caller.actor,
            stream=f"person:{caller.user.pk}",
            facts={"door": match.view_name if match else None, "method": request.method}
            | refusal.params,
        )
    except DatabaseError:
        log.exception("a refused access could not be recorded")


def _refusal(response: "HttpResponseBase") -> Refusal | None:
    return getattr(response, "refusal", None)

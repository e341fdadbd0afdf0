"""The API's root at /api/v1/: which routers, who gets in, how bodies are read, how errors look."""

import logging
from http import HTTPStatus
from typing import Any, Final, TypeVar

import uuid6
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError, ValidationErrorContext
from ninja.openapi.docs import DocsBase
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from accounts.api import router as accounts_router
from accounts.doors import BearerToken, BrowserSession
from accounts.problems import problem, refused
from agents.agent_api import router as agents_router
from agents.api import router as runs_router
from agents.callback_api import router as callbacks_router
from agents.limits_api import router as limits_router
from agents.memory_api import router as memories_router
from agents.price_api import router as prices_router
from agents.replay_api import router as replays_router
from agents.switch_api import router as switches_router
from agents.version_api import router as versions_router
from approvals.api import router as approvals_router
from audit.api import router as audit_router
from audit.api.tlog import hashes_router, is_open
from audit.canonical import MalformedJson, holds_nul, loads_strict
from audit.errors import Refusal, TooLarge
from countersign.api_docs import outline, with_problems
from evaluations.api import router as evaluations_router
from insights.api import router as insights_router

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=Any)

DESCRIPTION: Final = (
    "Runs, approval requests, agents, policies and the audit log. Send "
    "`Authorization: Bearer cs_…`; a token comes from the settings page or from "
    "`manage.py create_token`. Lists are paged by `cursor`. Every error is an RFC 9457 problem "
    "document with a stable `code`."
)


class UnsupportedMedia(Exception):
    """The body is declared to be something other than JSON."""


class StrictJson(Parser):
    """Reads bodies that every JSON reader understands alike: no duplicate keys, no NaN."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise UnsupportedMedia
        # Escaped is the only way in: JSON refuses the bare character. A backslash that is itself
        # escaped only costs the walk.
        value = loads_strict(request.body)
        if b"\\u0000" in request.body and holds_nul(value):
            raise MalformedJson("A text holds a NUL character.")
        return value


class DocsPage(DocsBase):
    """The documentation, rendered here from the OpenAPI document: no script, no CDN."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **_kwargs: Any) -> HttpResponse:
        return render(request, "api_docs.html", outline(api.get_openapi_schema()))


class Api(NinjaAPI):
    """Ninja with field names as the client wrote them, and problems in the OpenAPI document."""

    _document: OpenAPISchema | None = None

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        errors = []
        for context in error_contexts:
            place = context.model.__ninja_param_source__
            # A single body parameter is the body itself: its Python name means nothing outside.
            inner = getattr(context.model, "__read_from_single_attr__", None)
            for error in context.pydantic_validation_error.errors(
                include_url=False, include_context=False, include_input=False
            ):
                path = [str(part) for part in error["loc"]]
                if inner and path[:1] == [inner]:
                    path = path[1:]
                errors.append(
                    {
                        "in": place,
                        "field": ".".join(path),
                        "detail": error["msg"].removeprefix("Value error, "),
                        "code": error["type"],
                    }
                )
        return ValidationError(errors)

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """The document, made at the first question: it takes 0.1 s and never changes."""
        if self._document is None:
            self._document = with_problems(super().get_openapi_schema(**kwargs))
        return self._document


ways_in = (BearerToken(), BrowserSession())
api = Api(
    title="Countersign",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    auth=ways_in,
    parser=StrictJson(),
    docs=DocsPage(),
)
for router in (
    accounts_router,
    runs_router,
    agents_router,
    switches_router,
    limits_router,
    versions_router,
    replays_router,
    memories_router,
    callbacks_router,
    prices_router,
    evaluations_router,
    approvals_router,
    audit_router,
    insights_router,
):
    api.add_router("", router)
# Hashes alone, which the settings may open to everybody.
api.add_router("", hashes_router, auth=[*ways_in, is_open])


@api.exception_handler(Refusal)
def _refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    return refused(request, refusal)


@api.exception_handler(AuthenticationError)
def _anonymous(request: HttpRequest, _error: AuthenticationError) -> HttpResponse:
    return problem(
        request,
        HTTPStatus.UNAUTHORIZED,
        code="authentication_required",
        detail="Send a token as “Authorization: Bearer …”, or sign in.",
    )


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = ", ".join(sorted({found["field"] or found["in"] for found in error.errors}))
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        code="invalid_request",
        detail=f"Something in the request does not fit: {fields}. See errors.",
        errors=error.errors,
    )


@api.exception_handler(HttpError)
def _unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja wraps whatever the parser raised.
    if isinstance(error.__cause__, Refusal):
        return refused(request, error.__cause__)
    if isinstance(error.__cause__, UnsupportedMedia):
        return _no_json(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    return problem(request, status, code=status.name.lower(), detail=error.message)


# A form in parts was read as one on the way here, and cannot be read as a body after that.
@api.exception_handler(RawPostDataException)
def _no_json(request: HttpRequest, _error: Exception) -> HttpResponse:
    return problem(
        request,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        code="unsupported_media_type",
        detail="Send the body as JSON, with “Content-Type: application/json”.",
    )


@api.exception_handler(RequestDataTooBig)
def _too_large(request: HttpRequest, _error: RequestDataTooBig) -> HttpResponse:
    return refused(request, TooLarge("The body is larger than this server accepts."))


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, _error: Http404) -> HttpResponse:
    return problem(
        request,
        HTTPStatus.NOT_FOUND,
        code="not_found",
        detail="There is no such thing, or it is not among those you may see.",
    )


@api.exception_handler(PermissionDenied)
def _forbidden(request: HttpRequest, _error: PermissionDenied) -> HttpResponse:
    return problem(
        request,
        HTTPStatus.FORBIDDEN,
        code="forbidden",
        detail="Your account may not do this. Ask an admin.",
    )


@api.exception_handler(OperationalError)
def _database_away(request: HttpRequest, error: OperationalError) -> HttpResponse:
    log.error("the database failed during an API request", exc_info=error)
    return problem(
        request,
        HTTPStatus.SERVICE_UNAVAILABLE,
        code="database_unavailable",
        detail="The database did not answer. Look whether the change was made before repeating it, "
        "or repeat it with the same nonce or idempotency key.",
    )


@api.exception_handler(Exception)
def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    """Nothing of the error leaves the house; the id leads whoever reads the log to it."""
    request_id = str(uuid6.uuid7())
    log.error(
        "an API request failed",
        exc_info=error,
        extra={"request_id": request_id, "method": request.method, "path": request.path},
    )
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        code="internal_error",
        detail="Something failed here. A change and its record are written together or not at all. "
        "Tell an admin the request_id.",
        request_id=request_id,
    )

"""Each request has an id: log lines that it causes carry it, its answer names it, and its span bears it.

Stands before all other middleware, so that theirs is included.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from http import HTTPStatus
from secrets import randbits, token_hex
from typing import Final, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry.trace import SpanContext

from accounts.both_ways import BothWays
from audit import log_ids, tracing
from countersign.body_limit import Application, Receive, Scope, Send
from countersign.health import LIVE, READY

WEB: Final = "web"
"""What this process is called where its spans arrive."""
HEADER: Final = "X-Request-ID"
#: What a proxy in front may call a request.
GIVEN: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
#: Asked every few seconds by programs that watch.
WATCHED: Final = frozenset({LIVE, READY, "/metrics"})

_at_hand: Final[ContextVar[_Answering | None]] = ContextVar("answering", default=None)


class Requests:
    """The same for an ASGI application: what Django says of a request after all of its middleware is included."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with _answering(scope["path"], headers) as answering:
            token = _at_hand.set(answering)
            try:
                await self.application(scope, receive, send)
            finally:
                _at_hand.reset(token)


class RequestMiddleware(BothWays):
    """Names the request in its answer and makes its span; where no server of ours has begun it, begins it too."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        with _begun(request) as answering:
            response = cast("HttpResponseBase", self.get_response(request))
            answering.done(request, response)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with _begun(request) as answering:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
            answering.done(request, response)
        return response


def _begun(request: HttpRequest) -> AbstractContextManager[_Answering]:
    at_hand = _at_hand.get()
    if at_hand is not None:
        return nullcontext(at_hand)
    return _answering(request.path, {name.lower(): text for name, text in request.headers.items()})


@contextmanager
def _answering(path: str, headers: Mapping[str, str]) -> Iterator[_Answering]:
    """`headers`: by their names in small letters."""
    door = None
    # A server may have told nothing of its beginning.
    tracing.begin(WEB)
    if tracing.is_on() and path not in WATCHED:
        door = tracing.Door(randbits(128) or 1, randbits(64) or 1, _inbound(headers))
    given = headers.get(HEADER.lower(), "")
    answering = _Answering(given if GIVEN.fullmatch(given) else token_hex(8), door)
    with log_ids.only(request_id=answering.id):
        if door is None:
            yield answering
        else:
            with door.opened():
                yield answering


class _Answering:
    """A request that is answered now."""

    def __init__(self, request_id: str, door: tracing.Door | None) -> None:
        self.id = request_id
        self.door = door

    def done(self, request: HttpRequest, response: HttpResponseBase) -> None:
        """It has been answered."""
        response[HEADER] = self.id
        if self.door is None:
            return
        matched = request.resolver_match
        route = f"/{matched.route}" if matched else ""
        method = request.method or ""
        failed = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.door.close(
            f"{method} {route}".strip(),
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": response.status_code,
                "url.scheme": request.scheme or "",
                "countersign.http.request_id": self.id,
            },
            failed=str(response.status_code) if failed else "",
        )


def _inbound(headers: Mapping[str, str]) -> SpanContext | None:
    """The span of whoever asks, as the W3C's header `traceparent` names it."""
    return tracing.from_header(headers.get("traceparent"))

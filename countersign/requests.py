"""Each request has an id: log lines that it causes carry it, its answer names it, and its span bears it.

Stands before all other middleware, so that theirs is included.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from secrets import randbits, token_hex
from typing import Final, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from accounts.both_ways import BothWays
from audit import log_ids, tracing
from countersign.health import LIVE, READY

WEB: Final = "web"
"""What this process is called where its spans arrive."""
HEADER: Final = "X-Request-ID"
#: What a proxy in front may call a request.
GIVEN: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
#: Asked every few seconds by programs that watch.
WATCHED: Final = frozenset({LIVE, READY, "/metrics"})

_propagator: Final = TraceContextTextMapPropagator()


class RequestMiddleware(BothWays):
    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        with _at(request) as answering:
            response = cast("HttpResponseBase", self.get_response(request))
            answering.done(response)
        return response

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        with _at(request) as answering:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
            answering.done(response)
        return response


class _Answering:
    """A request that is answered now."""

    def __init__(self, request: HttpRequest, door: tracing.Door | None) -> None:
        given = request.headers.get(HEADER, "")
        self.request = request
        self.door = door
        self.id = given if GIVEN.fullmatch(given) else token_hex(8)

    def done(self, response: HttpResponseBase) -> None:
        """It has been answered."""
        response[HEADER] = self.id
        if self.door is None:
            return
        matched = self.request.resolver_match
        route = f"/{matched.route}" if matched else ""
        method = self.request.method or ""
        failed = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.door.close(
            f"{method} {route}".strip(),
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": response.status_code,
                "url.scheme": self.request.scheme or "",
                "countersign.http.request_id": self.id,
            },
            failed=str(response.status_code) if failed else "",
        )


@contextmanager
def _at(request: HttpRequest) -> Iterator[_Answering]:
    door = None
    # A server may have told nothing of its beginning.
    tracing.begin(WEB)
    if tracing.is_on() and request.path not in WATCHED:
        door = tracing.Door(randbits(128) or 1, randbits(64) or 1, _inbound(request))
    answering = _Answering(request, door)
    with log_ids.only(request_id=answering.id):
        if door is None:
            yield answering
        else:
            with door.opened():
                yield answering


def _inbound(request: HttpRequest) -> SpanContext | None:
    """The span of whoever asks, as the W3C's header `traceparent` names it."""
    if "traceparent" not in request.headers:
        return None
    carrier = {name: request.headers.get(name, "") for name in ("traceparent", "tracestate")}
    found = get_current_span(_propagator.extract(carrier)).get_span_context()
    return found if found.is_valid else None

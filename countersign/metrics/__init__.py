"""`/metrics`: where everything stands, in the text format that Prometheus reads, for those who may ask."""

from __future__ import annotations

from http import HTTPStatus
from threading import Lock
from time import monotonic
from typing import Final

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from countersign.metrics.counted import Counts
from countersign.metrics.guard import refusal
from countersign.metrics.standing import Audit, Queues, Requests, Runs

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
KEPT_SECONDS: Final = 5.0

registry: Final = CollectorRegistry(auto_describe=False)
for each in (Runs(), Requests(), Audit(), Queues(), Counts()):
    registry.register(each)


class Told:
    """The figures as they were told last. Whoever asks oftener gets the same again, and of several who ask at once one
    makes them: a scrape costs what it costs however many scrape this process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._text = b""
        self._at: float | None = None

    def __call__(self) -> bytes:
        with self._lock:
            if self._at is None or monotonic() - self._at >= KEPT_SECONDS:
                self._text, self._at = generate_latest(registry), monotonic()
            return self._text

    def forget(self) -> None:
        """Make them anew the next time."""
        self._at = None


told: Final = Told()


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Every figure. No names of people, no content."""
    refused = refusal(request)
    if refused is not None:
        return refused
    try:
        return HttpResponse(told(), content_type=CONTENT_TYPE)
    except DatabaseError:
        return HttpResponse(
            "The database does not answer, from which most figures come.\n",
            content_type="text/plain",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
        )

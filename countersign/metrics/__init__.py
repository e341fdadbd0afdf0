"""`/metrics`: where everything stands, in the text format that Prometheus reads, for those who may ask."""

from __future__ import annotations

from http import HTTPStatus
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

registry: Final = CollectorRegistry(auto_describe=False)
for each in (Runs(), Requests(), Audit(), Queues(), Counts()):
    registry.register(each)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Every figure. No names of people, no content."""
    refused = refusal(request)
    if refused is not None:
        return refused
    try:
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)
    except DatabaseError:
        return HttpResponse(
            "The database does not answer, from which most figures come.\n",
            content_type="text/plain",
            status=HTTPStatus.SERVICE_UNAVAILABLE,
        )

"""Sending spans over OTLP, where the standard environment variables of OpenTelemetry name a receiver.

The product never waits for a receiver: spans lie in a bounded queue of the process, a thread sends them, and what
finds no room or no receiver is dropped, counted and said once a minute.
"""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Final

import structlog
from django.conf import settings
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import Tracer

from audit import tracing

log = structlog.get_logger(__name__)

END_SECONDS: Final = 3.0
SAID_EVERY_SECONDS: Final = 60.0
#: Of one attribute; content is the only one that comes near.
LONGEST_TEXT: Final = 16_384


class ByLowBits(TraceIdRatioBased):
    """A share of all traces, by the low 56 bits of their id (W3C Trace Context level 2): these are random in a
    UUIDv7 too, whose 64 low bits begin with the same two in every id, so that the class of the SDK would take none
    of the runs, or all."""

    TRACE_ID_LIMIT = (1 << 56) - 1


def sampler() -> Sampler:
    """What `OTEL_TRACES_SAMPLER` and its argument ask for: everything, where they say nothing that is known."""
    name = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower().removeprefix("parentbased_")
    if name == "always_off":
        return ALWAYS_OFF
    if name != "traceidratio":
        return ALWAYS_ON
    try:
        return ByLowBits(float(os.environ.get("OTEL_TRACES_SAMPLER_ARG", "") or 1))
    except ValueError:
        log.warning("trace_sampler_argument_unreadable", takes="a share between 0 and 1")
        return ALWAYS_ON


class Ids(RandomIdGenerator):
    """Random ids, except where a span is to have one that others know."""

    def generate_span_id(self) -> int:
        return tracing.wanted().span_id or super().generate_span_id()

    def generate_trace_id(self) -> int:
        return tracing.wanted().trace_id or super().generate_trace_id()


class Watched(SpanExporter):
    """Sends by another exporter, and says it when that fails: at once, then every minute."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lost = 0
        self._said_at = -SAID_EVERY_SECONDS

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if monotonic() - self._said_at >= SAID_EVERY_SECONDS:
                log.warning("spans_lost", spans=self._lost, why="the receiver did not take them")
                self._said_at, self._lost = monotonic(), 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class Otlp:
    """Collects the spans of this process and sends them."""

    def __init__(self, process: str, *, content: bool) -> None:
        resource = Resource.create(
            {
                "service.name": os.environ.get("OTEL_SERVICE_NAME") or "countersign",
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                "countersign.process": process,
                "process.pid": os.getpid(),
            }
        )
        root = sampler()
        self._root = root
        self._provider = TracerProvider(
            sampler=ParentBased(root),
            resource=resource,
            shutdown_on_exit=False,
            id_generator=Ids(),
            span_limits=SpanLimits(max_attribute_length=LONGEST_TEXT),
        )
        self._provider.add_span_processor(BatchSpanProcessor(Watched(OTLPSpanExporter())))
        self.tracer: Tracer = self._provider.get_tracer("countersign")
        self.content = content

    def samples(self, trace_id: int) -> bool:
        decision = self._root.should_sample(None, trace_id, "").decision
        return decision is Decision.RECORD_AND_SAMPLE

    def end(self) -> None:
        """In a thread of its own: the SDK would wait half a minute for a receiver that hangs."""
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(END_SECONDS)
        if ending.is_alive():
            log.warning(
                "spans_lost", why=f"the receiver did not answer for {END_SECONDS:g} seconds"
            )


def start(process: str) -> Otlp:
    """The collector of this process."""
    # Its own word on each failure would come with every batch, and repeat the address.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    collector = Otlp(process, content=settings.COUNTERSIGN.trace_content)
    atexit.register(tracing.end)
    return collector

"""The spans of this test process, kept in its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from audit import tracing
from countersign.telemetry import Ids


@dataclass
class InMemory:
    """Collects what this process does."""

    content: bool = False
    kept: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def __post_init__(self) -> None:
        provider = TracerProvider(id_generator=Ids(), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.kept))
        self.tracer: Tracer = provider.get_tracer("tests")

    def samples(self, trace_id: int) -> bool:
        return True

    def end(self) -> None:
        """Nothing waits to be sent."""

    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in the order of that."""
        return list(self.kept.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name == name]

    def text(self) -> str:
        """Everything that would be sent, as text."""
        return "\n".join(span.to_json() for span in self.spans())


@contextmanager
def collected(*, content: bool = False) -> Iterator[InMemory]:
    """Keep the spans of the block."""
    made = InMemory(content)
    before = tracing._here.start
    tracing.collect_by(lambda _process: made)
    tracing.begin("tests")
    try:
        yield made
    finally:
        tracing.end()
        tracing._here.start = before

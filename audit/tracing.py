"""Spans of what the product does, for whoever collects them; next to nothing where nobody does.

The trace of a run bears the run's own id, a UUIDv7, as its 128 bits: one id leads to the run, to its spans, to its
log lines and to its events, without a table in between. A run has no span of its own, which could last for weeks:
each part of its way is a short one, and where one part causes a later one in another process, both know the id of
the span between them, because it is derived from the run (`derived`). Nothing has to be carried along or stored.

Attributes are codes, ids and counts. Of an exception only its kind is noted, since its text may hold anything.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Final, Protocol
from uuid import UUID

from opentelemetry import context as contexts
from opentelemetry.trace import (
    INVALID_SPAN,
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

Facts = Mapping[str, AttributeValue]
Opening = AbstractContextManager[Span]


class Collector(Protocol):
    """Where the spans of this process go."""

    tracer: Tracer
    content: bool
    """Whether spans also hold what was sent and received, as far as it may be shown."""

    def samples(self, trace_id: int) -> bool:
        """Whether spans of the trace are collected; the same answer for all of them, in every process."""

    def end(self) -> None:
        """Send what is left, for a bounded time."""


@dataclass
class _Here:
    """Of this process: how to start collecting, and who collects."""

    start: Callable[[str], Collector | None] | None = None
    collector: Collector | None = None
    starting: Lock = field(default_factory=Lock)


@dataclass(frozen=True)
class Wanted:
    """The ids that the span which is being started is to have; None for any."""

    trace_id: int | None = None
    span_id: int | None = None


WAKE: Final = "wake"
"""Of a run's spans, what is derived for each time that a worker is told of it (`derived`)."""

_here: Final = _Here()
_ANY: Final = Wanted()
_wanted: ContextVar[Wanted | None] = ContextVar("wanted", default=None)
_NOTHING: Final = nullcontext(INVALID_SPAN)
_propagator: Final = TraceContextTextMapPropagator()


def collect_by(start: Callable[[str], Collector | None]) -> None:
    """Name what starts the collector of a process; that process is to be the one that works, not its parent."""
    _here.start = start


def begin(process: str) -> None:
    """Collect from now on, where the environment asks for it. `process`: its part in the product."""
    if _here.collector is None and _here.start is not None:
        with _here.starting:
            if _here.collector is None:
                _here.collector = _here.start(process)


def end() -> None:
    """Send what is left, for a bounded time, and collect no more."""
    collector, _here.collector = _here.collector, None
    if collector is not None:
        collector.end()


def _forget() -> None:
    """A forked process has the parent's collector, but not the thread that sends."""
    _here.collector, _here.starting = None, Lock()


os.register_at_fork(after_in_child=_forget)


def is_on() -> bool:
    """Whether anybody collects spans of this process."""
    return _here.collector is not None


def shows_content() -> bool:
    """Whether spans hold what was sent and received too."""
    return _here.collector is not None and _here.collector.content


def wanted() -> Wanted:
    """The ids for the span that is being started, for the collector's generator of ids."""
    return _wanted.get() or _ANY


def now() -> int | None:
    """The moment a span may begin at, in nanoseconds since 1970; None where nobody collects."""
    return None if _here.collector is None else time.time_ns()


def derived(run: UUID, what: str, number: int) -> int:
    """The id of a span that every process can tell: of the run's wake-up or stretch of that number."""
    digest = blake2b(f"{run}:{what}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


def beginning(run: UUID) -> SpanContext:
    """The span with which the trace of each run begins: telling a worker of it for the first time."""
    return span_of(run, derived(run, WAKE, 0))


def span_of(run: UUID, span_id: int) -> SpanContext:
    """The context of a span of the run's trace that some process started, or will."""
    return SpanContext(run.int, span_id, is_remote=True, trace_flags=_flags(run.int))


def here() -> SpanContext:
    """The context of the span that is open now; an invalid one where none is."""
    return (
        INVALID_SPAN_CONTEXT if _here.collector is None else get_current_span().get_span_context()
    )


def as_header() -> dict[str, str]:
    """The span that is open now as the W3C's header `traceparent` names it, for whoever goes on in another process;
    nothing where none is."""
    carrier: dict[str, str] = {}
    if _here.collector is not None:
        _propagator.inject(carrier)
    return {name: text for name, text in carrier.items() if name == "traceparent"}


def from_header(traceparent: object) -> SpanContext | None:
    """The span that such a header names; None for anything that is no such header."""
    if not isinstance(traceparent, str):
        return None
    extracted = _propagator.extract({"traceparent": traceparent}, contexts.Context())
    found = get_current_span(extracted).get_span_context()
    return found if found.is_valid else None


@contextmanager
def behind(traceparent: object) -> Iterator[None]:
    """Spans of the block stand behind the one that another process of ours named so."""
    cause = None if _here.collector is None else from_header(traceparent)
    if cause is None:
        yield
        return
    token = contexts.attach(set_span_in_context(NonRecordingSpan(cause), contexts.Context()))
    try:
        yield
    finally:
        contexts.detach(token)


def span(
    name: str,
    facts: Facts | None = None,
    *,
    run: UUID | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    after: int | None = None,
    span_id: int | None = None,
    since: int | None = None,
    links: Sequence[SpanContext] = (),
) -> Opening:
    """A span around the block, within the one that is open.

    `run`: it belongs to that run's trace; where the open one belongs to another, it is linked to it, and stands
    behind the span of the run with the id `after`, if that is given. `span_id`: the id that it has to have.
    `since`: when it began, as `now` gave it.
    """
    if _here.collector is None:
        return _NOTHING
    return _open(_started(_here.collector, name, facts, run, kind, after, span_id, since, links))


def note(
    name: str,
    facts: Facts | None = None,
    *,
    run: UUID,
    span_id: int | None = None,
    since: int | None = None,
    until: int | None = None,
    links: Sequence[SpanContext] = (),
    failed: str = "",
) -> None:
    """A span of the run that is over already, or lasts for no time. `failed`: the code of what went wrong."""
    collector = _here.collector
    if collector is None:
        return
    made = _started(collector, name, facts, run, SpanKind.INTERNAL, None, span_id, since, links)
    if failed:
        fail(made, failed)
    made.end(until)


def event(name: str, facts: Facts) -> None:
    """Note at the span that is open that this happened now."""
    if _here.collector is not None:
        get_current_span().add_event(name, facts)


def fail(made: Span, code: str) -> None:
    """Mark the span as failed."""
    made.set_attribute("error.type", code)
    made.set_status(StatusCode.ERROR)


@contextmanager
def _open(made: Span) -> Iterator[Span]:
    token = contexts.attach(set_span_in_context(made))
    try:
        yield made
    except BaseException as error:
        fail(made, str(getattr(error, "code", "") or type(error).__qualname__))
        raise
    finally:
        contexts.detach(token)
        made.end()


def _started(
    collector: Collector,
    name: str,
    facts: Facts | None,
    run: UUID | None,
    kind: SpanKind,
    after: int | None,
    span_id: int | None,
    since: int | None,
    links: Sequence[SpanContext],
) -> Span:
    within: contexts.Context | None = None
    trace_id: int | None = None
    linked = list(links)
    if run is not None:
        opened = get_current_span()
        if isinstance(opened, Door):
            opened.belongs_to(run)
        current = opened.get_span_context()
        if current.trace_id != run.int:
            if current.is_valid:
                linked.append(current)
            trace_id = run.int
            within = contexts.Context()
            if after is not None:
                within = set_span_in_context(NonRecordingSpan(span_of(run, after)), within)
    token = _wanted.set(Wanted(trace_id, span_id))
    try:
        return collector.tracer.start_span(
            name,
            context=within,
            kind=kind,
            attributes=facts,
            links=[Link(each) for each in linked],
            start_time=since,
            record_exception=False,
            set_status_on_exception=False,
        )
    finally:
        _wanted.reset(token)


def _flags(trace_id: int) -> TraceFlags:
    collector = _here.collector
    sampled = collector is not None and collector.samples(trace_id)
    return TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)


class Door(NonRecordingSpan):
    """A request from outside while it is answered. Only what it does tells which trace it is of: the first run that
    it starts or changes. So its span is made in the end, and until then its place is kept by this.

    `inbound`: the span of whoever asks, which is linked to and never continued: ids from outside name no trace here.
    """

    def __init__(self, trace_id: int, span_id: int, inbound: SpanContext | None = None) -> None:
        super().__init__(SpanContext(trace_id, span_id, False, _flags(trace_id)))
        self.began = time.time_ns()
        self.inbound = inbound
        self.run: UUID | None = None

    def belongs_to(self, run: UUID) -> None:
        """The request starts or changes this run."""
        if self.run is None:
            self.run = run
            self._context = SpanContext(run.int, self._context.span_id, False, _flags(run.int))

    @contextmanager
    def opened(self) -> Iterator[Door]:
        """What is done in the block is done for this request."""
        token = contexts.attach(set_span_in_context(self))
        try:
            yield self
        finally:
            contexts.detach(token)

    def close(self, name: str, facts: Facts, *, failed: str = "") -> None:
        """Make the span, now that everything about it is known."""
        collector = _here.collector
        if collector is None:
            return
        mine = self.get_span_context()
        token = _wanted.set(Wanted(mine.trace_id, mine.span_id))
        try:
            made = collector.tracer.start_span(
                name,
                context=contexts.Context(),
                kind=SpanKind.SERVER,
                attributes=facts,
                links=[] if self.inbound is None else [Link(self.inbound)],
                start_time=self.began,
            )
        finally:
            _wanted.reset(token)
        if failed:
            fail(made, failed)
        made.end()

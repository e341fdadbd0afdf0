"""Check the log against itself, from the bytes up, and say in a sentence what does not fit.

Looks at every event: its leaf hash, its canonical form, the columns derived from it, its number and link in
its stream; at every stream's head; at what waits for sealing; at the sealed log; at every disclosure; and,
through the ledgers of the apps above, at whether rows and events say the same.
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import override

from audit.canonical import MalformedJson, OutsideProfile, event_bytes, loads_strict
from audit.cosigned_fsck import check_cosignatures
from audit.disclosures import CannotOpen
from audit.fact_schemas import moment_text
from audit.keyring import open_disclosure
from audit.looked_at import in_words
from audit.models import Disclosure, Event, Stream
from audit.protection import missing_protection
from audit.reconciliation import differences
from audit.record_keeping import Erasure, ErasureState, Retired
from audit.retention import Place, dropped_at, leaves_of
from audit.sealed_fsck import CheckedLog, Kept, check_sealed

_ROWS_AT_A_TIME = 2_000
# The two times of an event are taken one right after the other.
_ONE_MOMENT = dt.timedelta(minutes=1)


@dataclass
class Checked:
    """How much a check has looked at."""

    events: int = 0
    streams: int = 0
    disclosures: int = 0
    log: CheckedLog = field(default_factory=CheckedLog)
    reconciled: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    apart: int = 0
    """How many values events say that they keep apart, as far as their bodies are there."""
    bound: int = 0
    """How many of these are there."""

    def counted(self) -> dict[str, Any]:
        """What was looked at, as numbers that can be kept; `audit.looked_at` says them."""
        return {
            "events": self.events,
            "streams": self.streams,
            "disclosures": self.disclosures,
            "leaves": self.log.leaves,
            "checkpoints": self.log.checkpoints,
            "rows": dict(self.reconciled),
        }

    def in_words(self) -> str:
        """What was looked at, in sentences for programs and logs: the language of no reader."""
        with override(None):
            return in_words(self.counted())


def check(checked: Checked) -> Iterator[str]:
    """Sentences about what does not fit, in the order in which it is found; none when all is well.

    `checked` counts along. One snapshot of the database is looked at, however long it takes.
    """
    kept_outside = Kept.read()
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        checked.warnings = missing_protection()
        yield from _events(checked)
        yield from _pending()
        yield from check_sealed(checked.log, kept_outside)
        yield from check_cosignatures()
        yield from _dropped()
        yield from _disclosures(checked)
        yield from _erased(checked)
        yield from differences(checked.reconciled)


def _events(checked: Checked) -> Iterator[str]:
    name, at = "", Place()
    head: Stream | None = None
    rows = Event.objects.order_by("stream", "seq", "id").iterator(_ROWS_AT_A_TIME)
    while chunk := list(islice(rows, _ROWS_AT_A_TIME)):
        heads = Stream.objects.in_bulk({event.stream for event in chunk})
        for event in chunk:
            checked.events += 1
            if event.stream != name:
                if name:
                    yield from _end_of_stream(name, at, head)
                name, at, head = event.stream, Place(), heads.get(event.stream)
                checked.streams += 1
            yield from _event(event, checked)
            if event.seq != at.seq + 1:
                at.past_dropped(name)
            yield from _link(event, at.seq, at.head)
            at.seq, at.head = event.seq, bytes(event.leaf_hash)
    if name:
        yield from _end_of_stream(name, at, head)
    yield from _streams_without_events()


def _streams_without_events() -> Iterator[str]:
    """What the heads of streams say of which no event is there any more."""
    there = Event.objects.filter(stream=OuterRef("name"))
    streams = Stream.objects.filter(~Exists(there), seq__gt=0).order_by("name")
    for stream in streams.iterator(_ROWS_AT_A_TIME):
        at = Place()
        at.past_dropped(stream.name)
        if at.seq:
            yield from _end_of_stream(stream.name, at, stream)
        else:
            yield (
                f"The stream {stream.name} has {stream.seq} events by its head and none is there: they were "
                "deleted."
            )


def _event(event: Event, checked: Checked) -> Iterator[str]:
    body = bytes(event.body)
    if hashlib.sha256(b"\x00" + body).digest() != bytes(event.leaf_hash):
        yield f"{_called(event)} does not have the leaf hash of its body: the row was changed by hand."
    try:
        read = loads_strict(body)
        canonical = event_bytes(read) == body
    except (MalformedJson, OutsideProfile) as error:
        yield f"{_called(event)} has a body that this product does not write: {error}"
        return
    checked.apart += len(read.get("_sd") or ())
    if not canonical:
        yield f"{_called(event)} has a body that is not in canonical form: it was not written by this product."
    differing = [
        column for column, value in _derived(read).items() if value != _column(event, column)
    ]
    if differing:
        yield f"{_called(event)} has columns that differ from its body: {', '.join(differing)}."
    elif abs(event.inserted_at - event.occurred_at) > _ONE_MOMENT:
        yield (
            f"{_called(event)} says that it happened at {moment_text(event.occurred_at)} and was inserted at "
            f"{moment_text(event.inserted_at)}, though the database gives both in one statement: it was backdated."
        )


def _derived(read: dict[str, Any]) -> dict[str, str | None]:
    actor, agent, action = (read.get(part) or {} for part in ("actor", "agent", "action"))
    found = {
        "id": read.get("id"),
        "stream": read.get("stream"),
        "seq": read.get("seq"),
        "prev": read.get("prev"),
        "type": read.get("type"),
        "actor_kind": actor.get("kind"),
        "actor_id": actor.get("id"),
        "agent": agent.get("slug"),
        "run": agent.get("run"),
        "request": read.get("request"),
        "tool": action.get("tool"),
        "occurred_at": read.get("time"),
    }
    return {column: None if value is None else str(value) for column, value in found.items()}


def _column(event: Event, column: str) -> str | None:
    value = getattr(event, column)
    if value is None:
        return None
    if column == "prev":
        return f"sha256:{bytes(value).hex()}"
    if column == "occurred_at":
        return moment_text(value)
    return str(value)


def _link(event: Event, seq: int, head: bytes | None) -> Iterator[str]:
    if event.seq <= seq:
        yield f"The stream {event.stream} has two events with the number {event.seq}."
    elif event.seq != seq + 1:
        missing = (
            f"event {seq + 1}" if event.seq == seq + 2 else f"events {seq + 1} to {event.seq - 1}"
        )
        yield f"The stream {event.stream} lacks {missing}: deleted, or moved elsewhere."
    elif (None if event.prev is None else bytes(event.prev)) != head:
        yield (
            f"{_called(event)} does not follow from event {seq} of its stream: "
            f"event {seq} was changed after it was written."
        )


def _end_of_stream(name: str, at: Place, stream: Stream | None) -> Iterator[str]:
    if stream is not None and stream.seq > at.seq:
        at.past_dropped(name)
    seq, head = at.seq, at.head
    if stream is None:
        yield f"The stream {name} has {seq} events and no head: the head was deleted."
    elif stream.seq > seq:
        yield f"The stream {name} ends at event {seq} and its head says {stream.seq}: the tail was cut."
    elif stream.seq < seq:
        yield f"The stream {name} goes on to event {seq} and its head says {stream.seq}: the head was set back."
    elif stream.head is None or bytes(stream.head) != head:
        yield f"The last event of the stream {name}, number {seq}, was changed after it was written."


def _pending() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pending.event FROM audit_pending AS pending LEFT JOIN audit_event AS event "
            "ON event.id = pending.event AND event.inserted_at = pending.inserted_at "
            "AND event.leaf_hash = pending.leaf_hash WHERE event.id IS NULL ORDER BY 1 LIMIT 100"
        )
        for (event,) in cursor.fetchall():
            yield f"Event {event} waits for sealing and is not there as it was written: deleted or changed."


def _dropped() -> Iterator[str]:
    told = {
        facts.get("partition"): facts
        for facts in (
            orjson.loads(bytes(event.body)).get("facts", {})
            for event in Event.objects.of_type("retention.dropped")
        )
    }
    for month in Retired.objects.order_by("since"):
        facts = told.pop(month.partition, None)
        if facts is None:
            # The event of the dropping may be as old as to have been dropped itself.
            if dropped_at(month.dropped_at) is None:
                yield f"The month {month.partition} is said to be dropped, and no event says so."
        elif (month.events, f"sha256:{bytes(month.leaves_sha256).hex()}") != (
            facts.get("events"),
            facts.get("leaves_sha256"),
        ):
            yield f"What is said of the dropped month {month.partition} differs from the event of the dropping."
        if leaves_of(month.since, month.until) != (month.events, bytes(month.leaves_sha256)):
            yield (
                f"The log has other leaves of the dropped month {month.partition} than it had when its bodies were "
                "dropped."
            )
    for partition in told:
        yield f"An event says that the month {partition} was dropped, and nothing is said of what it held."


def _disclosures(checked: Checked) -> Iterator[str]:
    rows = Disclosure.objects.select_related("key").order_by("event", "digest")
    stored = rows.iterator(_ROWS_AT_A_TIME)
    while chunk := list(islice(stored, _ROWS_AT_A_TIME)):
        events = Event.objects.in_bulk({row.event for row in chunk})
        for row in chunk:
            checked.disclosures += 1
            yield from _disclosure(row, events.get(row.event), checked)


def _disclosure(row: Disclosure, event: Event | None, checked: Checked) -> Iterator[str]:
    if event is None:
        yield f"The disclosure {row.name} belongs to event {row.event}, which is not there."
    elif row.digest not in orjson.loads(bytes(event.body)).get("_sd", []):
        yield f"The disclosure {row.name} is not bound into {_called(event)}: it was added later."
    else:
        checked.bound += 1
        try:
            open_disclosure(row)
        except CannotOpen as error:
            yield f"The disclosure {row.name} of {_called(event)} cannot be opened: {error}"


def _erased(checked: Checked) -> Iterator[str]:
    """Whose a value was that is not there any more, nothing says; how many were erased, the erasures do."""
    told = (
        orjson.loads(bytes(event.body)).get("facts", {})
        for event in Event.objects.of_type("disclosure.redacted")
    )
    erased = sum(facts.get("disclosures", 0) for facts in told)
    for erasure in Erasure.objects.filter(state=ErasureState.CONFIRMED):
        # Its event went with its month, and what it erased may be of a month that is held.
        if erasure.decided_at is not None and dropped_at(erasure.decided_at) is not None:
            erased += erasure.disclosures
    missing = checked.apart - checked.bound
    if missing > erased:
        yield (
            f"Of what events keep apart, {missing} values are not there, and erasures account for {erased}: "
            "the others were deleted."
        )


def _called(event: Event) -> str:
    return f"Event {event.id} ({event.type}, number {event.seq} of {event.stream})"

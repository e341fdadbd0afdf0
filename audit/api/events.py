"""Events: searched, read one by one, and opened as far as they keep something apart."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema

from audit.api.shapes import Limit, Moment
from audit.errors import NotFound
from audit.fact_schemas import moment_text
from audit.filters import EventFilter
from audit.models import Event
from audit.paging import page
from audit.ports import caller_of
from audit.rows import rows_of
from audit.services.disclose import disclose

router = Router()


class UnknownEvent(NotFound):
    """There is no such event, or its body is no longer kept."""

    code = "unknown_event"

    def __init__(self, event: UUID) -> None:
        super().__init__(f"There is no event {event}.", params={"event": str(event)})


class EventOut(Schema):
    """One event. `body` is the canonical JSON that `leaf_hash` is computed from (RFC 6962, 2.1); `sentence` says
    it in words, with people as they are called now."""

    id: UUID
    type: str
    time: Moment
    stream: str
    seq: int
    leaf_hash: str
    inserted_at: Moment
    sentence: str
    body: dict[str, Any]


class EventsOut(Schema):
    """A page of events, newest first."""

    items: list[EventOut]
    next_cursor: str | None = None


class DisclosureOut(Schema):
    """One value that an event keeps apart; where it was `erased`, only its digest is left."""

    digest: str
    erased: bool
    name: str | None
    subject: str | None
    value: Any
    problem: str


class DisclosuresOut(Schema):
    """Everything that one event keeps apart."""

    items: list[DisclosureOut]


def events_out(events: Iterable[Event]) -> list[EventOut]:
    """The events as they are answered, in their order."""
    return [
        EventOut(
            id=row.event.id,
            type=row.event.type,
            time=moment_text(row.event.occurred_at),
            stream=row.event.stream,
            seq=row.event.seq,
            leaf_hash=f"sha256:{row.event.leaf_hex}",
            inserted_at=moment_text(row.event.inserted_at),
            sentence=row.sentence,
            body=row.body,
        )
        for row in rows_of(events)
    ]


@router.get(
    "audit/events", response=EventsOut, summary="Search the log", operation_id="list_events"
)
def list_events(
    request: HttpRequest,
    filters: Query[EventFilter],
    cursor: str | None = None,
    limit: Limit = 50,
) -> EventsOut:
    """Events that fit every given condition, newest first. Needs the scope `audit`."""
    caller = caller_of(request)
    caller.require("read_audit", scope="audit")
    found = filters.applied_to(Event.objects.visible_to(caller.user))
    shown = page(found, order=Event.NEWEST_FIRST, cursor=cursor, limit=limit)
    return EventsOut(items=events_out(shown.items), next_cursor=shown.next_cursor)


@router.get(
    "audit/events/{uuid:event_id}",
    response=EventOut,
    summary="One event",
    operation_id="read_event",
)
def read_event(request: HttpRequest, event_id: UUID) -> EventOut:
    """One event. Needs the scope `audit`."""
    (shown,) = events_out([_found(request, event_id)])
    return shown


@router.get(
    "audit/events/{uuid:event_id}/disclosures",
    response=DisclosuresOut,
    summary="Open what an event keeps apart",
    operation_id="read_disclosures",
)
def read_disclosures(request: HttpRequest, event_id: UUID) -> DisclosuresOut:
    """Names, reasons and other personal data. Each opening is recorded in the log."""
    event = _found(request, event_id)
    opened = disclose([event], caller=caller_of(request)).get(event.pk, [])
    return DisclosuresOut(
        items=[
            DisclosureOut(
                digest=each.digest,
                erased=each.erased,
                name=each.name,
                subject=each.subject,
                value=each.value,
                problem=each.problem,
            )
            for each in opened
        ]
    )


def _found(request: HttpRequest, event_id: UUID) -> Event:
    caller = caller_of(request)
    caller.require("read_audit", scope="audit")
    event = Event.objects.visible_to(caller.user).filter(pk=event_id).first()
    if event is None:
        raise UnknownEvent(event_id)
    return event

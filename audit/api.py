"""The log for programs: events, and exports of them."""

from typing import Annotated, Any, Literal, cast
from uuid import UUID

import orjson
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from audit.download import CONTENT_TYPES, file_response
from audit.fact_schemas import moment_text
from audit.filters import EventFilter
from audit.models import Event, Export, ExportState
from audit.paging import LARGEST_PAGE, page
from audit.ports import Caller
from audit.schemas import LONGEST_CHALLENGE
from audit.services.ask_export import ask_export
from audit.services.download_export import download_export, find_export

router = Router(tags=["audit"])


# Ninja would cut datetimes to milliseconds; the log's moments have microseconds everywhere.
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class EventOut(Schema):
    """One event. `body` is the canonical JSON that `leaf_hash` is computed from (RFC 6962, 2.1)."""

    id: UUID
    type: str
    time: Moment
    stream: str
    seq: int
    leaf_hash: str
    inserted_at: Moment
    body: dict[str, Any]


class EventsOut(Schema):
    """A page of events, newest first."""

    items: list[EventOut]
    next_cursor: str | None = None


class ExportIn(Schema):
    """What to export: every event that fits all given conditions.

    `bundle` is a ZIP of evidence that can be checked offline; what follows `filters` is for it alone.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal["bundle", "jsonl", "csv"] = "bundle"
    filters: EventFilter = EventFilter()
    challenge: Annotated[str, Field(min_length=1, max_length=LONGEST_CHALLENGE)] | None = Field(
        None, description="A text of yours that shows that the export was made after you gave it"
    )
    disclosures: bool = Field(
        True, description="Personal data, free text and documents too, as far as you may read them"
    )
    since_size: Annotated[int, Field(ge=1, lt=2**53)] | None = Field(
        None, description="How many events the log had at your last check, for a proof since then"
    )


class ExportOut(Schema):
    """An export and how far it is; `download` is there once it is finished.

    Of a `bundle`: `size` is how many events its checkpoint covers, `not_sealed` how many that fit were not
    sealed in time, `completeness` what is proved: `{"kind": "range" | "story" | "selection", …}`.
    """

    id: UUID
    state: Literal["queued", "running", "finished", "failed", "removed"]
    format: Literal["bundle", "jsonl", "csv"]
    filters: dict[str, str]
    events: int
    bytes: int
    sha256: str | None
    challenge: str | None
    size: int | None
    not_sealed: int
    disclosures: int
    completeness: dict[str, Any] | None
    problem: str | None
    created_at: Moment
    finished_at: Moment | None
    download: str | None


@router.get(
    "audit/events", response=EventsOut, summary="Search the log", operation_id="list_events"
)
def list_events(
    request: HttpRequest,
    filters: Query[EventFilter],
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = 50,
) -> EventsOut:
    """Events that fit every given condition, newest first. Needs the scope `audit`."""
    caller = _caller(request)
    caller.require("read_audit", scope="audit")
    found = filters.applied_to(Event.objects.visible_to(caller.user))
    shown = page(found, order=Event.NEWEST_FIRST, cursor=cursor, limit=limit)
    return EventsOut(
        items=[
            EventOut(
                id=event.id,
                type=event.type,
                time=moment_text(event.occurred_at),
                stream=event.stream,
                seq=event.seq,
                leaf_hash=f"sha256:{event.leaf_hex}",
                inserted_at=moment_text(event.inserted_at),
                body=orjson.loads(bytes(event.body)),
            )
            for event in shown.items
        ],
        next_cursor=shown.next_cursor,
    )


@router.post(
    "audit/exports",
    response={201: ExportOut},
    summary="Ask for an export",
    operation_id="create_export",
)
def create_export(request: HttpRequest, wish: ExportIn) -> Status[ExportOut]:
    """A worker writes the file; look at the export until it is finished. Recorded in the log."""
    caller = _caller(request)
    caller.require("read_audit", scope="audit")
    export = ask_export(
        chosen=wish.filters,
        file_format=wish.format,
        caller=caller,
        challenge=wish.challenge,
        disclosures=wish.disclosures,
        since_size=wish.since_size,
    )
    return Status(201, _out(export))


@router.get(
    "audit/exports/{uuid:export_id}",
    response=ExportOut,
    summary="Look at an export",
    operation_id="read_export",
)
def read_export(request: HttpRequest, export_id: UUID) -> ExportOut:
    """How far the export is."""
    return _out(find_export(export_id, caller=_caller(request)))


@router.get(
    "audit/exports/{uuid:export_id}/download",
    summary="Download an export",
    operation_id="download_export",
    url_name="audit-export-download",
    openapi_extra={
        "responses": {
            200: {
                "description": "The file",
                "content": {"application/zip": {}, "application/jsonl": {}, "text/csv": {}},
            }
        }
    },
)
def download(request: HttpRequest, export_id: UUID) -> HttpResponseBase:
    """The file of a finished export. Each download is recorded in the log."""
    export, path = download_export(export_id, caller=_caller(request))
    return file_response(
        request, path, name=export.file_name, content_type=CONTENT_TYPES[export.format]
    )


def _out(export: Export) -> ExportOut:
    address = reverse("api:audit-export-download", kwargs={"export_id": export.id})
    return ExportOut(
        id=export.id,
        state=cast(Any, export.state),
        format=cast(Any, export.format),
        filters=export.filters,
        events=export.events,
        bytes=export.bytes,
        sha256=export.sha256 or None,
        challenge=export.challenge,
        size=export.size,
        not_sealed=export.not_sealed,
        disclosures=export.disclosures,
        completeness=export.completeness or None,
        problem=export.problem or None,
        created_at=moment_text(export.created_at),
        finished_at=moment_text(export.finished_at) if export.finished_at else None,
        download=address if export.state == ExportState.FINISHED else None,
    )


def _caller(request: HttpRequest) -> Caller:
    return cast(Caller, request.caller)  # type: ignore[attr-defined]

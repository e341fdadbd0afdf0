"""Exports of events: asked for, watched, downloaded."""

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict

from audit.api.shapes import Limit, Moment, WhoOut
from audit.download import CONTENT_TYPES, file_response
from audit.fact_schemas import moment_text
from audit.filters import EventFilter
from audit.models import Export, ExportState
from audit.paging import page
from audit.ports import caller_of
from audit.schemas import LONGEST_CHALLENGE
from audit.services.ask_export import ask_export
from audit.services.download_export import download_export, find_export

router = Router()


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
    asked_by: WhoOut
    created_at: Moment
    finished_at: Moment | None
    download: str | None


class ExportsOut(Schema):
    """A page of exports, newest first."""

    items: list[ExportOut]
    next_cursor: str | None = None


@router.get("audit/exports", response=ExportsOut, summary="Exports", operation_id="list_exports")
def list_exports(request: HttpRequest, cursor: str | None = None, limit: Limit = 50) -> ExportsOut:
    """Exports that were asked for, newest first. Needs the scope `audit`, and the right to export."""
    caller = caller_of(request)
    caller.require("export_audit", scope="audit")
    shown = page(Export.objects.visible_to(caller.user), cursor=cursor, limit=limit)
    return ExportsOut(items=_out(shown.items), next_cursor=shown.next_cursor)


@router.post(
    "audit/exports",
    response={201: ExportOut},
    summary="Ask for an export",
    operation_id="create_export",
)
def create_export(request: HttpRequest, wish: ExportIn) -> Status[ExportOut]:
    """A worker writes the file; look at the export until it is finished. Recorded in the log."""
    caller = caller_of(request)
    caller.require("read_audit", scope="audit")
    export = ask_export(
        chosen=wish.filters,
        file_format=wish.format,
        caller=caller,
        challenge=wish.challenge,
        disclosures=wish.disclosures,
        since_size=wish.since_size,
    )
    return Status(201, _out([export])[0])


@router.get(
    "audit/exports/{uuid:export_id}",
    response=ExportOut,
    summary="Look at an export",
    operation_id="read_export",
)
def read_export(request: HttpRequest, export_id: UUID) -> ExportOut:
    """How far the export is."""
    return _out([find_export(export_id, caller=caller_of(request))])[0]


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
    export, path = download_export(export_id, caller=caller_of(request))
    return file_response(
        request, path, name=export.file_name, content_type=CONTENT_TYPES[export.format]
    )


def _out(exports: list[Export]) -> list[ExportOut]:
    people = WhoOut.named(export.asked_by for export in exports)
    return [_shown(export, people[export.asked_by]) for export in exports]


def _shown(export: Export, who: WhoOut) -> ExportOut:
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
        asked_by=who,
        created_at=moment_text(export.created_at),
        finished_at=moment_text(export.finished_at) if export.finished_at else None,
        download=address if export.state == ExportState.FINISHED else None,
    )

"""Working calendars for programs: `/api/v1/calendars`."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import BaseModel, ConfigDict, Field

from accounts.doors import signed_in
from approvals.calendar_errors import CalendarUnknown
from approvals.eligibility import require_policy_reader
from approvals.models import WorkingCalendar
from approvals.services.delete_calendar import delete_calendar
from approvals.services.set_calendar import put_calendar
from audit.paging import page

router = Router(tags=["calendars"])


class CalendarIn(BaseModel):
    """What a calendar says; its slug stands in the address."""

    model_config = ConfigDict(extra="forbid")

    title: str
    timezone: str = "UTC"
    hours: dict[str, list[str]] = Field(
        description="Spans such as 09:00-17:00 by weekday (monday to sunday); 22:00-06:00 runs "
        "over midnight. At least one hour in the week."
    )
    holidays: list[dict[str, str]] = Field(
        default_factory=list, description="Each {day, name}: a date of which no hour counts."
    )


class HolidayOut(BaseModel):
    """A date of which no hour counts."""

    day: str
    name: str


class CalendarOut(BaseModel):
    """A working calendar."""

    slug: str
    title: str
    timezone: str
    hours: dict[str, list[str]]
    holidays: list[HolidayOut]


class CalendarList(BaseModel):
    """A page of calendars."""

    items: list[CalendarOut]
    next_cursor: str | None


@router.get(
    "calendars", response=CalendarList, operation_id="list_calendars", summary="Working calendars"
)
def list_calendars(
    request: HttpRequest,
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """The calendars that policies may name, by slug."""
    require_policy_reader(signed_in(request))
    found = page(WorkingCalendar.objects.all(), order=("slug",), cursor=cursor, limit=limit)
    items = [row.calendar.document() for row in found.items]
    return {"items": items, "next_cursor": found.next_cursor}


@router.get(
    "calendars/{slug:slug}",
    response=CalendarOut,
    operation_id="read_calendar",
    summary="One calendar",
)
def read_calendar(request: HttpRequest, slug: str) -> dict[str, Any]:
    """A calendar as it stands now; a request keeps the one it was opened by."""
    require_policy_reader(signed_in(request))
    row = WorkingCalendar.objects.filter(slug=slug).first()
    if row is None:
        raise CalendarUnknown(slug)
    return row.calendar.document()


@router.put(
    "calendars/{slug:slug}",
    response={200: CalendarOut, 201: CalendarOut},
    operation_id="put_calendar",
    summary="Set up or change",
)
def put(request: HttpRequest, slug: str, body: CalendarIn) -> Status[dict[str, Any]]:
    """Set up the calendar (201), or let it say this from now on (200)."""
    calendar, new = put_calendar(slug=slug, document=body.model_dump(), caller=signed_in(request))
    return Status(201 if new else 200, calendar.document())


@router.delete(
    "calendars/{slug:slug}",
    response={204: None},
    operation_id="delete_calendar",
    summary="Delete",
)
def delete(request: HttpRequest, slug: str) -> Status[None]:
    """Delete a calendar that neither the policy in force nor this installation names."""
    delete_calendar(slug=slug, caller=signed_in(request))
    return Status(204, None)

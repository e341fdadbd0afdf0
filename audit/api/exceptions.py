"""What auditors ask about first, as a list."""

from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema

from audit.api.events import EventOut, events_out
from audit.api.shapes import Limit, Since, Until
from audit.exceptions import KINDS
from audit.models import Event
from audit.paging import page
from audit.ports import caller_of

router = Router()

Kind = Literal[
    "self_published",
    "second_waived",
    "sticky_used",
    "approval_undone",
    "doubt_by_hand",
    "own_edit",
    "decided_fast",
    "kill_switch",
]


class ExceptionOut(Schema):
    """An event that went another way than usual: which kind of exception it is, and that in words."""

    kind: Kind
    title: str
    event: EventOut


class ExceptionsOut(Schema):
    """A page of exceptions, newest first."""

    items: list[ExceptionOut]
    next_cursor: str | None = None


@router.get(
    "audit/exceptions",
    response=ExceptionsOut,
    summary="Exceptions",
    operation_id="list_exceptions",
)
def list_exceptions(
    request: HttpRequest,
    kind: Kind | None = None,
    since: Since | None = None,
    until: Until | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> ExceptionsOut:
    """Of one kind or of any, newest first. Needs the scope `audit`."""
    caller = caller_of(request)
    caller.require("read_audit", scope="audit")
    found = Event.objects.visible_to(caller.user).between(since, until).exceptions(kind or "")
    shown = page(found, order=Event.NEWEST_FIRST, cursor=cursor, limit=limit)
    kinds = [event.exception for event in shown.items]  # type: ignore[attr-defined]
    return ExceptionsOut(
        items=[
            ExceptionOut(kind=kind, title=KINDS[kind], event=event)
            for kind, event in zip(kinds, events_out(shown.items), strict=True)
        ],
        next_cursor=shown.next_cursor,
    )

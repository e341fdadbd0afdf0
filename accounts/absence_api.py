"""Who is out of office, for programs: `/api/v1/absences`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict, Field

from accounts.doors import signed_in
from accounts.errors import UnknownPerson
from accounts.models import Absence, User
from accounts.services.end_absence import end_absence
from accounts.services.name_stand_in import name_stand_in
from audit.clock import database_now
from audit.paging import page

if TYPE_CHECKING:
    from django.http import HttpRequest

router = Router(tags=["absences"])


class AbsenceIn(Schema):
    """Who is out of office and who stands in, by user name. Moments carry their offset from UTC."""

    model_config = ConfigDict(extra="forbid")

    person: str | None = Field(default=None, description="Empty: oneself.")
    stand_in: str
    starts_at: AwareDatetime | None = Field(default=None, description="Empty or past: from now on.")
    ends_at: AwareDatetime


class AbsenceOut(Schema):
    """A time out of office that is not over."""

    id: str
    person: str
    stand_in: str
    starts_at: datetime
    ends_at: datetime


class AbsenceList(Schema):
    """A page of them."""

    items: list[AbsenceOut]
    next_cursor: str | None


def _absence_out(absence: Absence) -> AbsenceOut:
    return AbsenceOut(
        id=str(absence.pk),
        person=absence.person.username,
        stand_in=absence.stand_in.username,
        starts_at=absence.starts_at,
        ends_at=absence.ends_at,
    )


@router.get(
    "absences", response=AbsenceList, summary="Who is out of office", operation_id="list_absences"
)
def list_absences(
    request: "HttpRequest",
    cursor: str | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> AbsenceList:
    """Those that are not over and concern the caller; all for whoever manages people."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    rows = Absence.objects.visible_to(caller.user).to_come_or_holding()
    found = page(
        rows.select_related("person", "stand_in"), order=("-id",), cursor=cursor, limit=limit
    )
    return AbsenceList(
        items=[_absence_out(row) for row in found.items], next_cursor=found.next_cursor
    )


@router.post(
    "absences",
    response={201: AbsenceOut},
    summary="Name a stand-in",
    operation_id="name_stand_in",
)
def post_absence(request: "HttpRequest", body: AbsenceIn) -> Status[AbsenceOut]:
    """From then on, until the end, the stand-in counts as a member of the person's review groups.

    One's own with the scope `decide`; for others it takes the permission to manage people.
    """
    caller = signed_in(request)
    # Before anybody is looked up: who may name nobody learns no user names either.
    if body.person in (None, caller.user.username):
        caller.require("decide_requests", scope="decide")
        person = caller.user
    else:
        caller.require("manage_people", scope="admin")
        person = _person(body.person)
    named = name_stand_in(
        person=person,
        stand_in=_person(body.stand_in),
        starts_at=body.starts_at or database_now(),
        ends_at=body.ends_at,
        caller=caller,
    )
    return Status(201, _absence_out(named))


@router.delete(
    "absences/{uuid:absence_id}",
    response={204: None},
    summary="End it",
    operation_id="end_absence",
)
def delete_absence(request: "HttpRequest", absence_id: UUID) -> Status[None]:
    """End it now, before its time."""
    end_absence(absence_id=absence_id, caller=signed_in(request))
    return Status(204, None)


def _person(username: str) -> User:
    found: User | None = User.objects.filter(username__iexact=username).first()
    if found is None:
        raise UnknownPerson(username)
    return found

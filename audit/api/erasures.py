"""Erasures: proposed by one person, confirmed or declined by another."""

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from pydantic import ConfigDict

from audit.api.shapes import Limit, Moment, WhoOut
from audit.fact_schemas import moment_text
from audit.paging import page
from audit.people import subject_of
from audit.ports import caller_of
from audit.record_keeping import Erasure, ErasureReason
from audit.services.redact import (
    confirm_erasure,
    decline_erasure,
    extent_of,
    find_erasure,
    propose_erasure,
)

router = Router()

Reason = Literal["asked", "not_needed", "mistake", "ordered"]


class ErasureIn(Schema):
    """About whom (a user name) or what (as events name it where something is kept apart), and why."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(min_length=1, max_length=200, examples=["person:7"])]
    reason: Reason


class ConfirmationIn(Schema):
    """The subject once more, so that nobody erases another one than they mean."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(max_length=200)]


class ErasureOut(Schema):
    """An erasure and how far it is. `disclosures` is how many values there were when it was proposed, or erased."""

    id: UUID
    subject: str
    reason: Reason
    state: Literal["proposed", "confirmed", "declined"]
    disclosures: int
    proposed_by: WhoOut
    proposed_at: Moment
    decided_by: WhoOut | None
    decided_at: Moment | None


class OpenErasureOut(ErasureOut):
    """The same, and while it waits for a second person: how many values of how many events it would erase now,
    and the legal hold that stands in the way."""

    would_erase: int | None
    in_events: int | None
    on_hold: UUID | None


class ErasuresOut(Schema):
    """A page of erasures, newest first."""

    items: list[ErasureOut]
    next_cursor: str | None = None


@router.get(
    "audit/erasures", response=ErasuresOut, summary="Erasures", operation_id="list_erasures"
)
def list_erasures(
    request: HttpRequest, cursor: str | None = None, limit: Limit = 50
) -> ErasuresOut:
    """Newest first. For records keepers; needs the scope `audit`."""
    caller_of(request).require("keep_records", scope="audit")
    shown = page(Erasure.objects.all(), order=("-proposed_at", "-id"), cursor=cursor, limit=limit)
    people = _people(shown.items)
    return ErasuresOut(
        items=[ErasureOut(**_told(each, people)) for each in shown.items],
        next_cursor=shown.next_cursor,
    )


@router.post(
    "audit/erasures",
    response={201: OpenErasureOut},
    summary="Propose an erasure",
    operation_id="propose_erasure",
)
def create_erasure(request: HttpRequest, wish: ErasureIn) -> Status[OpenErasureOut]:
    """Of everything that the log keeps apart about the subject. Somebody else has to confirm it. Recorded in the
    log, a refusal too."""
    proposed = propose_erasure(
        subject=subject_of(wish.subject.strip()),
        reason=ErasureReason(wish.reason),
        caller=caller_of(request),
    )
    return Status(201, _out(proposed))


@router.get(
    "audit/erasures/{uuid:erasure_id}",
    response=OpenErasureOut,
    summary="Look at an erasure",
    operation_id="read_erasure",
)
def read_erasure(request: HttpRequest, erasure_id: UUID) -> OpenErasureOut:
    """What it would erase now, and what stands in the way. For records keepers; needs the scope `audit`."""
    return _out(find_erasure(erasure_id, caller=caller_of(request)))


@router.post(
    "audit/erasures/{uuid:erasure_id}/confirm",
    response=OpenErasureOut,
    summary="Confirm an erasure",
    operation_id="confirm_erasure",
)
def post_confirm(
    request: HttpRequest, erasure_id: UUID, confirmation: ConfirmationIn
) -> OpenErasureOut:
    """The values and the key they are encrypted with are deleted for good; events, hashes and proofs stay. Not by
    whoever proposed it. Recorded in the log, a refusal too."""
    return _out(
        confirm_erasure(
            erasure_id=erasure_id, subject=confirmation.subject, caller=caller_of(request)
        )
    )


@router.post(
    "audit/erasures/{uuid:erasure_id}/decline",
    response=OpenErasureOut,
    summary="Decline an erasure",
    operation_id="decline_erasure",
)
def post_decline(request: HttpRequest, erasure_id: UUID) -> OpenErasureOut:
    """Nothing is erased; whoever proposed it may do this too. Recorded in the log."""
    return _out(decline_erasure(erasure_id=erasure_id, caller=caller_of(request)))


def _people(erasures: list[Erasure]) -> dict[str, WhoOut]:
    return dict(
        WhoOut.named(who for each in erasures for who in (each.proposed_by, each.decided_by))
    )


def _told(erasure: Erasure, people: dict[str, WhoOut]) -> dict[str, Any]:
    return {
        "id": erasure.pk,
        "subject": erasure.subject,
        "reason": str(erasure.reason_code),
        "state": str(erasure.state),
        "disclosures": erasure.disclosures,
        "proposed_by": people[erasure.proposed_by],
        "proposed_at": moment_text(erasure.proposed_at),
        "decided_by": people.get(erasure.decided_by),
        "decided_at": moment_text(erasure.decided_at) if erasure.decided_at else None,
    }


def _out(erasure: Erasure) -> OpenErasureOut:
    extent = extent_of(erasure)
    return OpenErasureOut(
        **_told(erasure, _people([erasure])),
        would_erase=extent.disclosures if extent else None,
        in_events=extent.events if extent else None,
        on_hold=extent.hold.pk if extent and extent.hold else None,
    )

"""Checks of the whole log for programs."""

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status

from audit.fact_schemas import moment_text
from audit.ports import Caller
from audit.services.verify_log import ask_verification, find_verification
from audit.verification import Verification

router = Router(tags=["audit"])

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class VerificationOut(Schema):
    """A check of the whole log and how far it is.

    `fits` and `differs` are results; `found` are sentences about what does not fit, at most a hundred, `notes`
    what is worth knowing besides. `events` and `leaves` count what was looked at so far.
    """

    id: UUID
    state: Literal["queued", "running", "fits", "differs", "failed"]
    events: int
    leaves: int
    found: list[str]
    notes: list[str]
    summary: str | None
    problem: str | None
    created_at: Moment
    finished_at: Moment | None


@router.post(
    "audit/verifications",
    response={201: VerificationOut},
    summary="Have the whole log checked",
    operation_id="create_verification",
)
def create_verification(request: HttpRequest) -> Status[VerificationOut]:
    """A worker checks it; look until it has ended. Where a check is underway, it is that one. Recorded in the
    log. Needs the scope `audit`."""
    return Status(201, _out(ask_verification(caller=_caller(request))))


@router.get(
    "audit/verifications/{uuid:verification_id}",
    response=VerificationOut,
    summary="Look at a check of the log",
    operation_id="read_verification",
)
def read_verification(request: HttpRequest, verification_id: UUID) -> VerificationOut:
    """How far the check is, and what it found. Needs the scope `audit`."""
    return _out(find_verification(verification_id, caller=_caller(request)))


def _out(check: Verification) -> VerificationOut:
    return VerificationOut(
        id=check.id,
        state=cast(Any, check.state),
        events=check.events,
        leaves=check.leaves,
        found=check.found,
        notes=check.notes,
        summary=check.summary or None,
        problem=check.problem or None,
        created_at=moment_text(check.created_at),
        finished_at=moment_text(check.finished_at) if check.finished_at else None,
    )


def _caller(request: HttpRequest) -> Caller:
    return cast(Caller, request.caller)  # type: ignore[attr-defined]

"""Checks of the whole log for programs."""

from typing import Any, Literal, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status

from audit.api.shapes import Limit, Moment, WhoOut
from audit.fact_schemas import moment_text
from audit.paging import page
from audit.ports import caller_of
from audit.services.verify_log import ask_verification, find_verification
from audit.verification import Verification

router = Router()


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
    asked_by: WhoOut
    created_at: Moment
    finished_at: Moment | None


class VerificationsOut(Schema):
    """A page of checks, newest first."""

    items: list[VerificationOut]
    next_cursor: str | None = None


@router.get(
    "audit/verifications",
    response=VerificationsOut,
    summary="Checks of the log",
    operation_id="list_verifications",
)
def list_verifications(
    request: HttpRequest, cursor: str | None = None, limit: Limit = 50
) -> VerificationsOut:
    """Checks that somebody asked for, newest first. Needs the scope `audit`."""
    caller = caller_of(request)
    caller.require("read_audit", scope="audit")
    shown = page(Verification.objects.visible_to(caller.user), cursor=cursor, limit=limit)
    return VerificationsOut(items=_out(shown.items), next_cursor=shown.next_cursor)


@router.post(
    "audit/verifications",
    response={201: VerificationOut},
    summary="Have the whole log checked",
    operation_id="create_verification",
)
def create_verification(request: HttpRequest) -> Status[VerificationOut]:
    """A worker checks it; look until it has ended. Where a check is underway, it is that one. Recorded in the
    log. Needs the scope `audit`."""
    return Status(201, _out([ask_verification(caller=caller_of(request))])[0])


@router.get(
    "audit/verifications/{uuid:verification_id}",
    response=VerificationOut,
    summary="Look at a check of the log",
    operation_id="read_verification",
)
def read_verification(request: HttpRequest, verification_id: UUID) -> VerificationOut:
    """How far the check is, and what it found. Needs the scope `audit`."""
    return _out([find_verification(verification_id, caller=caller_of(request))])[0]


def _out(checks: list[Verification]) -> list[VerificationOut]:
    people = WhoOut.named(check.asked_by for check in checks)
    return [
        VerificationOut(
            id=check.id,
            state=cast(Any, check.state),
            events=check.events,
            leaves=check.leaves,
            found=check.found,
            notes=check.notes,
            summary=check.summary or None,
            problem=check.problem or None,
            asked_by=people[check.asked_by],
            created_at=moment_text(check.created_at),
            finished_at=moment_text(check.finished_at) if check.finished_at else None,
        )
        for check in checks
    ]

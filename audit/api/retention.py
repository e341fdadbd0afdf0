"""What is kept how long, and which months are gone."""

from typing import Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema

from audit.api.shapes import Moment
from audit.fact_schemas import moment_text
from audit.ports import caller_of
from audit.services.retention_state import retention_state

router = Router()


class MonthOut(Schema):
    """One month of the log. `kept_until` is when its bodies may be dropped at the earliest.

    `kept`: that is to come. `due`: an operator may drop it. `held`: the legal hold `on_hold` covers events of it.
    `dropped`: bodies are gone, and `events`, `leaves_sha256` (over their leaf hashes) and `dropped_at` say what was.
    """

    partition: str
    since: Moment
    until: Moment
    state: Literal["kept", "due", "held", "dropped"]
    kept_until: Moment
    on_hold: UUID | None
    events: int | None
    leaves_sha256: str | None
    dropped_at: Moment | None


class RetentionOut(Schema):
    """How long bodies are kept at least, and the months of the log, newest first."""

    kept_days: int
    months: list[MonthOut]


@router.get(
    "audit/retention", response=RetentionOut, summary="Retention", operation_id="read_retention"
)
def read_retention(request: HttpRequest) -> RetentionOut:
    """Months are dropped by `manage.py audit_retention --drop` alone. Needs the scope `audit`."""
    state = retention_state(caller=caller_of(request))
    return RetentionOut(
        kept_days=state.kept_days,
        months=[
            MonthOut(
                partition=month.partition,
                since=moment_text(month.since),
                until=moment_text(month.until),
                state=month.state,
                kept_until=moment_text(month.kept_until),
                on_hold=month.hold.pk if month.hold else None,
                events=month.dropped.events if month.dropped else None,
                leaves_sha256=f"sha256:{bytes(month.dropped.leaves_sha256).hex()}"
                if month.dropped
                else None,
                dropped_at=moment_text(month.dropped.dropped_at) if month.dropped else None,
            )
            for month in state.months
        ],
    )

"""Legal holds: what stands, setting one, lifting one."""

from typing import Annotated, Literal, cast
from uuid import UUID

from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict

from audit.api.shapes import Limit, Moment, WhoOut
from audit.fact_schemas import moment_text
from audit.paging import page
from audit.people import id_of
from audit.ports import caller_of
from audit.record_keeping import Hold, HoldScope
from audit.services.hold import lift_hold, set_hold

router = Router()

Scope = Literal["everything", "person", "agent", "run", "request"]


class HoldIn(Schema):
    """What to hold and why. `target` is a user name or a person's id, an agent's slug, or the id of a run or a
    request; empty for everything. Without `since` and `until`, events of all times."""

    model_config = ConfigDict(extra="forbid")

    matter: Annotated[str, Field(max_length=100, description="Such as a case number")]
    why: Annotated[str, Field(max_length=1_000)]
    scope: Scope
    target: Annotated[str, Field(max_length=150)] = ""
    since: AwareDatetime | None = Field(None, description="Events inserted at this moment or later")
    until: AwareDatetime | None = Field(None, description="Events inserted before this moment")


class HoldOut(Schema):
    """A legal hold; it stands until it was lifted. Of a person, `target` is their id and `target_name` what they
    are called now."""

    id: UUID
    matter: str
    why: str
    scope: Scope
    target: str | None
    target_name: str | None
    since: Moment | None
    until: Moment | None
    set_by: WhoOut
    set_at: Moment
    lifted_by: WhoOut | None
    lifted_at: Moment | None


class HoldsOut(Schema):
    """A page of holds, newest first."""

    items: list[HoldOut]
    next_cursor: str | None = None


@router.get("audit/holds", response=HoldsOut, summary="Legal holds", operation_id="list_holds")
def list_holds(request: HttpRequest, cursor: str | None = None, limit: Limit = 50) -> HoldsOut:
    """Those that stand and those that were lifted, newest first. Needs the scope `audit`."""
    caller_of(request).require("read_audit", scope="audit")
    shown = page(Hold.objects.all(), order=("-set_at", "-id"), cursor=cursor, limit=limit)
    return HoldsOut(items=_out(shown.items), next_cursor=shown.next_cursor)


@router.post(
    "audit/holds", response={201: HoldOut}, summary="Set a legal hold", operation_id="set_hold"
)
def create_hold(request: HttpRequest, wish: HoldIn) -> Status[HoldOut]:
    """What it covers is neither erased nor dropped until it is lifted. Recorded in the log."""
    scope, target = HoldScope(wish.scope), wish.target.strip()
    hold = set_hold(
        matter=wish.matter,
        why=wish.why,
        scope=scope,
        target=id_of(target) if scope == HoldScope.PERSON and target else target,
        since=wish.since,
        until=wish.until,
        caller=caller_of(request),
    )
    return Status(201, _out([hold])[0])


@router.post(
    "audit/holds/{uuid:hold_id}/lift",
    response=HoldOut,
    summary="Lift a legal hold",
    operation_id="lift_hold",
)
def post_lift(request: HttpRequest, hold_id: UUID) -> HoldOut:
    """Recorded in the log."""
    return _out([lift_hold(hold_id=hold_id, caller=caller_of(request))])[0]


def _out(holds: list[Hold]) -> list[HoldOut]:
    named = {hold.target for hold in holds if hold.scope == HoldScope.PERSON}
    people = WhoOut.named(named.union(*({hold.set_by, hold.lifted_by} for hold in holds)))
    return [
        HoldOut(
            id=hold.pk,
            matter=hold.matter,
            why=hold.why,
            scope=cast(Scope, str(hold.scope)),
            target=hold.target or None,
            target_name=people[hold.target].name if hold.target in named else None,
            since=moment_text(hold.since) if hold.since else None,
            until=moment_text(hold.until) if hold.until else None,
            set_by=people[hold.set_by],
            set_at=moment_text(hold.set_at),
            lifted_by=people.get(hold.lifted_by),
            lifted_at=moment_text(hold.lifted_at) if hold.lifted_at else None,
        )
        for hold in holds
    ]

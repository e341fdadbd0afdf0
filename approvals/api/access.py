"""Access as of a date for programs: who could approve, rebuilt from the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from django.http import HttpRequest
from ninja import Router
from pydantic import AwareDatetime, BaseModel, Field

from accounts.doors import signed_in
from approvals.access import AccessAt, Approver, access_at
from approvals.vocabulary import Effect
from audit.api.shapes import Moment, WhoOut
from audit.clock import database_now
from audit.fact_schemas import moment_text

router = Router(tags=["audit"])


class ApproverOut(WhoOut):
    """Somebody who could approve: the group that lets them, and those they stood in for where they were no member
    themselves."""

    group: str
    on_behalf_of: list[WhoOut]


class LineOut(BaseModel):
    """One line of the policy that puts calls before people. `rule` is null where no rule speaks; with `owners`,
    the group that owns the agent is asked."""

    rule: str | None
    about: str
    needs: str
    owners: bool
    approvers: list[ApproverOut]


class AccessOut(BaseModel):
    """Who could approve at a moment, and what that rests on.

    `policy_event` put the policy in force; `problem` says why there is none to go by. `events` is how many events
    about roles, groups and stand-ins were read; bodies of events before `kept_since` are no longer kept.
    """

    at: Moment
    policy: int | None
    policy_event: str | None
    problem: str | None
    lines: list[LineOut]
    events: int
    owners: dict[str, str]
    kept_since: Moment | None


@router.get(
    "audit/access", response=AccessOut, operation_id="read_access", summary="Access as of a moment"
)
def read_access(
    request: HttpRequest,
    at: Annotated[AwareDatetime, Field(description="Now, unless given")] | None = None,
    effect: Annotated[Effect, Field(description="Of calls with this effect alone")] | None = None,
) -> AccessOut:
    """Who could approve then, by each line of the policy that was in force. Needs the scope `audit`."""
    signed_in(request).require("read_audit", scope="audit")
    now = database_now()
    return _out(access_at(min(at, now) if at else now, effect))


def _out(found: AccessAt) -> AccessOut:
    approvers = [each for line in found.lines for each in line.approvers]
    people = WhoOut.named(who for each in approvers for who in (each.person, *each.on_behalf_of))
    return AccessOut(
        at=moment_text(found.at),
        policy=found.policy.version if found.policy else None,
        policy_event=str(found.published.id) if found.published else None,
        problem=found.problem or None,
        lines=[
            LineOut(
                rule=line.rule or None,
                about=line.about,
                needs=line.needs,
                owners=line.owners,
                approvers=[_approver(each, people) for each in line.approvers],
            )
            for line in found.lines
        ],
        events=found.events,
        owners=found.owners,
        kept_since=moment_text(found.kept_since) if found.kept_since else None,
    )


def _approver(approver: Approver, people: Mapping[str, WhoOut]) -> ApproverOut:
    return ApproverOut(
        id=approver.person,
        name=people[approver.person].name,
        group=approver.group,
        on_behalf_of=[people[who] for who in approver.on_behalf_of],
    )

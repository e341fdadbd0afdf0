"""Kill switches over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import Field

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.api_shapes import Body
from agents.kill_switches import KillSwitch
from agents.services.lift_switch import lift_switch
from agents.services.set_switch import LONGEST_REASON, set_switch
from agents.states import SwitchScope
from agents.switchboard import held_back, switch_as_json
from audit.paging import page

router = Router()

NAMED = ("agent", "set_by", "lifted_by")
Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class SetIn(Body):
    """A switch to set. `agent` for the scopes agent and agent_tool, `tool` for agent_tool and tool."""

    scope: SwitchScope
    agent: Annotated[str, Field(max_length=63)] = ""
    tool: Annotated[str, Field(max_length=64)] = ""
    reason: Reason


class LiftIn(Body):
    """Why what was held may go on."""

    reason: Reason


class SwitchList(Schema):
    items: list[dict[str, Any]]
    next_cursor: str | None


@router.get(
    "kill-switches", response=SwitchList, tags=["kill switches"], summary="List kill switches"
)
def list_switches(
    request: HttpRequest,
    state: Literal["on", "lifted"] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Newest first: all for admins, for an agent's owner group those that hold it."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    rows = KillSwitch.objects.visible_to(caller.user).select_related(*NAMED)
    if state is not None:
        rows = rows.filter(lifted_at__isnull=state == "on")
    found = page(rows, order=("-set_at", "-id"), cursor=cursor, limit=limit)
    held = held_back(found.items, caller.user)
    return {
        "items": [switch_as_json(switch, held) for switch in found.items],
        "next_cursor": found.next_cursor,
    }


@router.post(
    "kill-switches",
    response={201: dict[str, Any]},
    tags=["kill switches"],
    summary="Switch something off",
)
def post_switch(request: HttpRequest, body: SetIn) -> Status[dict[str, Any]]:
    """From then on nothing of it starts, asks a model or is dispatched; requests stay decidable."""
    caller = signed_in(request)
    switch = set_switch(
        scope=body.scope, agent=body.agent, tool=body.tool, reason=body.reason, caller=caller
    )
    return Status(201, _shown(switch.pk, caller))


@router.post(
    "kill-switches/{uuid:switch_id}/lift",
    response=dict[str, Any],
    tags=["kill switches"],
    summary="Lift a kill switch",
)
def post_lift(request: HttpRequest, switch_id: UUID, body: LiftIn) -> dict[str, Any]:
    """What it held goes on from where it stood, at once."""
    caller = signed_in(request)
    lift_switch(switch_id=switch_id, reason=body.reason, caller=caller)
    return _shown(switch_id, caller)


def _shown(switch_id: UUID, caller: Caller) -> dict[str, Any]:
    switch = KillSwitch.objects.select_related(*NAMED).get(pk=switch_id)
    return switch_as_json(switch, held_back([switch], caller.user))

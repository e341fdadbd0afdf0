"""Agents over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.api_shapes import ReasonIn
from agents.errors import UnknownAgent
from agents.models import HostedAgent
from agents.representations import agent_as_json
from agents.services.operate_agent import activate_version, disable_agent, enable_agent
from agents.switchboard import Switchboard
from audit.clock import database_now

router = Router()


class AgentList(Schema):
    items: list[dict[str, Any]]


def _shown_agent(caller: Caller, slug: str) -> dict[str, Any]:
    return agent_as_json(_agent(caller, slug), database_now(), Switchboard.now())


def _agent(caller: Caller, slug: str) -> HostedAgent:
    rows = HostedAgent.objects.visible_to(caller.user).select_related(
        "owner_group", "active_version"
    )
    hosted = rows.filter(slug=slug).first()
    if hosted is None:
        raise UnknownAgent(slug)
    return hosted


@router.get(
    "agents",
    response=AgentList,
    tags=["agents"],
    summary="List agents",
    operation_id="agents_api_list_agents",
)
def list_agents(request: HttpRequest) -> dict[str, Any]:
    """Every hosted agent that the caller may know of."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    rows = HostedAgent.objects.visible_to(caller.user).select_related(
        "owner_group", "active_version"
    )
    now = database_now()
    board = Switchboard.now()
    return {"items": [agent_as_json(hosted, now, board) for hosted in rows.order_by("slug")]}


@router.get(
    "agents/{slug}",
    response=dict[str, Any],
    tags=["agents"],
    summary="One agent",
    operation_id="agents_api_read_agent",
)
def read_agent(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Tools with risk and effects, versions, and examples to start a run with."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    return _shown_agent(caller, slug)


@router.post(
    "agents/{slug}/disable",
    response=dict[str, Any],
    tags=["agents"],
    summary="Switch it off",
    operation_id="agents_api_post_disable",
)
def post_disable(request: HttpRequest, slug: str, body: ReasonIn | None = None) -> dict[str, Any]:
    """Nothing new starts, nothing dispatches; parked requests stay decidable."""
    caller = signed_in(request)
    disable_agent(slug=slug, reason=body.reason if body else "", caller=caller)
    return _shown_agent(caller, slug)


@router.post(
    "agents/{slug}/enable",
    response=dict[str, Any],
    tags=["agents"],
    summary="Switch it on",
    operation_id="agents_api_post_enable",
)
def post_enable(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Runs that were held up go on at once."""
    caller = signed_in(request)
    enable_agent(slug=slug, caller=caller)
    return _shown_agent(caller, slug)


@router.post(
    "agents/{slug}/versions/{digest}/activate",
    response=dict[str, Any],
    tags=["agents"],
    summary="Activate a version",
    operation_id="agents_api_post_activate",
)
def post_activate(request: HttpRequest, slug: str, digest: str) -> dict[str, Any]:
    """New runs use it; its owner group or an admin may say so."""
    caller = signed_in(request)
    activate_version(slug=slug, digest=digest, caller=caller)
    return _shown_agent(caller, slug)

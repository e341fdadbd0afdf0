"""What agents may use, over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from accounts.callers import Caller
from accounts.doors import signed_in
from agents import registry
from agents.agent_limits import AgentLimits
from agents.errors import UnknownAgent
from agents.limit_words import limits_as_json
from agents.models import HostedAgent
from agents.services.set_limits import set_limits
from audit.clock import database_now

router = Router()


@router.get(
    "agents/{slug}/limits", response=dict[str, Any], tags=["agents"], summary="What it may use"
)
def read_limits(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Caps of its runs as declared, as set and as they hold; what it may spend, and has spent."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    return _shown(slug, caller)


@router.put(
    "agents/{slug}/limits", response=dict[str, Any], tags=["agents"], summary="Set what it may use"
)
def put_limits(request: HttpRequest, slug: str, body: AgentLimits) -> dict[str, Any]:
    """All of them at once: what is left out is as declared, or without a limit. They hold at once."""
    caller = signed_in(request)
    set_limits(slug=slug, limits=body, caller=caller)
    return _shown(slug, caller)


def _shown(slug: str, caller: Caller) -> dict[str, Any]:
    hosted = HostedAgent.objects.visible_to(caller.user).filter(slug=slug).first()
    declared = registry.find(slug)
    if hosted is None or declared is None:
        raise UnknownAgent(slug)
    return limits_as_json(declared, hosted, database_now(), caller)

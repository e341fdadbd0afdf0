"""Set a kill switch: nothing that it holds starts, asks a model or is dispatched from then on."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.callers import Caller, authorised
from agents import registry
from agents.errors import SwitchedOffAlready, SwitchInvalid, UnknownAgent
from agents.events import announce_switch, tell_switch
from agents.holding import lock_switchboard
from agents.kill_switches import WHOLE, KillSwitch
from agents.models import AgentVersion, HostedAgent
from agents.states import SwitchScope
from agents.tool_secrets import without_secrets
from audit.actors import Actor
from audit.clock import database_now

LONGEST_REASON = 2_000


def set_switch(
    *,
    scope: SwitchScope,
    reason: str,
    caller: Caller | Actor,
    agent: str = "",
    tool: str = WHOLE,
) -> KillSwitch:
    """Set it and return it. Once this has returned and its transaction has committed, no intent to
    dispatch what it holds is committed any more; calls that were sent by then are not called back.

    Those who manage agents may; the people of an agent's owner group for that agent and its tools.
    Raises a Forbidden, UnknownAgent, SwitchInvalid, SwitchedOffAlready.
    """
    hosted = _agent(scope, agent)
    actor = authorised_over(caller, hosted)
    why = reason_of(reason)
    _require_tool(scope, hosted, tool)
    with transaction.atomic():
        lock_switchboard()
        target: dict[str, Any] = {"agent": hosted, "tool": tool}
        present = KillSwitch.objects.active().filter(**_where(target)).first()
        if present is not None:
            who = str(present.set_by) if present.set_by else "The system"
            raise SwitchedOffAlready(str(present.pk), who, present.set_at.isoformat())
        switch = KillSwitch.objects.create(
            **target,
            reason=why,
            set_by=caller.user if isinstance(caller, Caller) else None,
            set_at=database_now(),
        )
        tell_switch(switch, actor, why)
        announce_switch(switch, "set")
    return switch


def authorised_over(caller: Caller | Actor, hosted: HostedAgent | None) -> Actor:
    """Admins of agents, and for one agent the people of the group that owns it. Raises a Forbidden."""
    owns = isinstance(caller, Caller) and hosted and hosted.owner_group_id in caller.own_group_ids
    if isinstance(caller, Caller) and owns:
        caller.require(None, scope="admin")
        return caller.actor
    return authorised(caller, "manage_agents", scope="admin")


def reason_of(text: str) -> str:
    """The reason as it is kept; SwitchInvalid where there is none."""
    words = without_secrets(text.strip())
    if not words:
        raise SwitchInvalid("reason", "Say why, so that others know what to wait for.")
    if len(words) > LONGEST_REASON:
        raise SwitchInvalid("reason", f"Say it in at most {LONGEST_REASON:,} characters.")
    return words


def known_tools(hosted: HostedAgent | None = None) -> dict[str, frozenset[str]]:
    """The tools that each agent has or had, by slug, with the undos of installed ones. Of one agent, or all."""
    versions = AgentVersion.objects.all()
    installed = registry.all_agents()
    if hosted is not None:
        versions = versions.filter(slug=hosted.slug)
        installed = [each for each in installed if each.slug == hosted.slug]
    found: dict[str, set[str]] = {}
    for slug, definition in versions.values_list("slug", "definition"):
        found.setdefault(slug, set()).update(str(tool["name"]) for tool in definition["tools"])
    for declared in installed:
        names = {*(tool.name for tool in declared.tools), *declared.undos, *declared.built_in}
        found.setdefault(declared.slug, set()).update(names)
    return {slug: frozenset(names) for slug, names in found.items()}


def _agent(scope: SwitchScope, slug: str) -> HostedAgent | None:
    if scope not in (SwitchScope.AGENT, SwitchScope.AGENT_TOOL):
        if slug:
            raise SwitchInvalid("agent", "A switch of this scope names no agent.")
        return None
    if not slug:
        raise SwitchInvalid("agent", "Say which agent.")
    hosted = HostedAgent.objects.filter(slug=slug).first()
    if hosted is None:
        raise UnknownAgent(slug)
    return hosted


def _require_tool(scope: SwitchScope, hosted: HostedAgent | None, tool: str) -> None:
    if scope not in (SwitchScope.TOOL, SwitchScope.AGENT_TOOL):
        if tool:
            raise SwitchInvalid("tool", "A switch of this scope names no tool.")
        return
    if not tool:
        raise SwitchInvalid("tool", "Say which tool.")
    known = known_tools(hosted).values()
    if not any(tool in names for names in known):
        whose = f"{hosted.title} has" if hosted else "No agent has"
        raise SwitchInvalid("tool", f"{whose} {'no' if hosted else 'a'} tool called {tool}.")


def _where(target: dict[str, Any]) -> dict[str, Any]:
    if target["agent"] is None:
        return {"agent__isnull": True, "tool": target["tool"]}
    return target

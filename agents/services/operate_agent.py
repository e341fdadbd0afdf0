"""Activate a version of an agent, switch an agent off and on."""

from __future__ import annotations

from django.db import transaction

from accounts.callers import Caller, authorised
from agents import registry
from agents.errors import UnknownAgent, UnknownVersion
from agents.models import AgentVersion, HostedAgent
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef, Disclose


def _authorised(caller: Caller | Actor, hosted: HostedAgent) -> Actor:
    """Admins of agents, and the people of the group that owns the agent."""
    if isinstance(caller, Caller) and hosted.owner_group_id in caller.own_group_ids:
        caller.require(None, scope="admin")
        return caller.actor
    return authorised(caller, "manage_agents", scope="admin")


def _locked(slug: str) -> HostedAgent:
    hosted = HostedAgent.objects.select_for_update().filter(slug=slug).first()
    if hosted is None:
        raise UnknownAgent(slug)
    return hosted


def activate_version(*, slug: str, digest: str, caller: Caller | Actor) -> HostedAgent:
    """Let new runs use the installed version with that digest. Raises UnknownAgent, UnknownVersion."""
    with transaction.atomic():
        hosted = _locked(slug)
        actor = _authorised(caller, hosted)
        installed = registry.find(slug)
        version = AgentVersion.objects.filter(slug=slug, digest=digest).first()
        if installed is None or version is None or installed.version != digest:
            raise UnknownVersion(slug, digest)
        if hosted.active_version_id == version.pk:
            return hosted
        hosted.active_version = version
        hosted.save(update_fields=["active_version"])
        record(
            type="agent.activated",
            actor=actor,
            stream=f"agent:{slug}",
            agent=AgentRef(slug=slug, version=digest),
        )
        return hosted


def disable_agent(*, slug: str, reason: str, caller: Caller | Actor) -> HostedAgent:
    """Kill switch: nothing new starts, nothing dispatches; parked requests stay decidable."""
    with transaction.atomic():
        hosted = _locked(slug)
        actor = _authorised(caller, hosted)
        if hosted.disabled_at is not None:
            return hosted
        hosted.disabled_at = database_now()
        hosted.disabled_by = caller.user if isinstance(caller, Caller) else None
        hosted.disabled_reason = reason
        hosted.save(update_fields=["disabled_at", "disabled_by", "disabled_reason"])
        record(
            type="agent.disabled",
            actor=actor,
            stream=f"agent:{slug}",
            agent=AgentRef(slug=slug),
            disclosures=[Disclose("reason", reason, f"agent:{slug}")] if reason else [],
        )
        return hosted


def enable_agent(*, slug: str, caller: Caller | Actor) -> HostedAgent:
    """Lift the kill switch; ready runs are picked up by the next sweep."""
    with transaction.atomic():
        hosted = _locked(slug)
        actor = _authorised(caller, hosted)
        if hosted.disabled_at is None:
            return hosted
        hosted.disabled_at = None
        hosted.disabled_by = None
        hosted.disabled_reason = ""
        hosted.save(update_fields=["disabled_at", "disabled_by", "disabled_reason"])
        record(type="agent.enabled", actor=actor, stream=f"agent:{slug}", agent=AgentRef(slug=slug))
        return hosted

"""Activate a version of an agent, switch an agent off and on."""

from __future__ import annotations

from contextlib import suppress

from django.db import transaction

from accounts.callers import Caller
from agents import registry
from agents.errors import SwitchedOffAlready, SwitchLifted, UnknownAgent, UnknownVersion
from agents.kill_switches import WHOLE, KillSwitch
from agents.models import AgentVersion, HostedAgent
from agents.services.lift_switch import lift_switch
from agents.services.set_switch import authorised_over, set_switch
from agents.states import SwitchScope
from audit.actors import Actor
from audit.recorder import record
from audit.schemas import AgentRef

NO_REASON = "No reason was given."


def _locked(slug: str) -> HostedAgent:
    hosted = HostedAgent.objects.select_for_update(no_key=True).filter(slug=slug).first()
    if hosted is None:
        raise UnknownAgent(slug)
    return hosted


def activate_version(*, slug: str, digest: str, caller: Caller | Actor) -> HostedAgent:
    """Let new runs use the installed version with that digest. Raises UnknownAgent, UnknownVersion."""
    with transaction.atomic():
        hosted = _locked(slug)
        actor = authorised_over(caller, hosted)
        installed = registry.find(slug)
        version = AgentVersion.objects.filter(slug=slug, digest=digest).first()
        if installed is None or version is None or installed.version != digest:
            raise UnknownVersion(slug, digest)
        if hosted.active_version_id == version.pk:
            return hosted
        before = hosted.active_version
        hosted.active_version = version
        hosted.save(update_fields=["active_version"])
        record(
            type="agent.activated",
            actor=actor,
            stream=f"agent:{slug}",
            agent=AgentRef(slug=slug, version=digest),
            facts={"previous_version": before.digest} if before else None,
        )
        return hosted


def disable_agent(*, slug: str, reason: str, caller: Caller | Actor) -> HostedAgent:
    """Set the agent's own kill switch, unless it is on. Raises UnknownAgent, or a Forbidden."""
    hosted = _found(slug)
    words = reason.strip() or NO_REASON
    # One that is on already is not set again.
    with suppress(SwitchedOffAlready):
        set_switch(scope=SwitchScope.AGENT, agent=slug, reason=words, caller=caller)
    return hosted


def enable_agent(*, slug: str, caller: Caller | Actor) -> HostedAgent:
    """Lift the agent's own kill switch, if it is on. Raises UnknownAgent, or a Forbidden."""
    hosted = _found(slug)
    authorised_over(caller, hosted)
    own = KillSwitch.objects.active().filter(agent=hosted, tool=WHOLE).first()
    if own is not None:
        with suppress(SwitchLifted):
            lift_switch(switch_id=own.pk, reason=NO_REASON, caller=caller)
    return hosted


def _found(slug: str) -> HostedAgent:
    hosted = HostedAgent.objects.filter(slug=slug).first()
    if hosted is None:
        raise UnknownAgent(slug)
    return hosted

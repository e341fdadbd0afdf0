"""Record the installed versions of agents and host those that are new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction

from accounts.models import ReviewGroup
from agents.definitions import Agent
from agents.models import AgentVersion, HostedAgent
from agents.services.ship_prices import ship_prices
from agents.version_changes import changes_between
from audit.actors import Actor
from audit.clock import database_now
from audit.recorder import record
from audit.schemas import AgentRef


@dataclass
class SyncReport:
    """What `sync_agents` found: slugs by what happened to them."""

    new_versions: list[str] = field(default_factory=list)
    new_agents: list[str] = field(default_factory=list)
    new_groups: list[str] = field(default_factory=list)
    awaiting_activation: list[str] = field(default_factory=list)
    differences: dict[str, list[str]] = field(default_factory=dict)
    """What the installed version of an agent that awaits activation does otherwise than the active one."""
    new_prices: list[str] = field(default_factory=list)


def sync_agents(agents: Iterable[Agent], *, actor: Actor) -> SyncReport:
    """Record each installed agent's version, its hosting row, its owner group, and prices that are new."""
    report = SyncReport(new_prices=ship_prices(actor=actor))
    for agent in agents:
        with transaction.atomic():
            _sync(agent, actor, report)
    return report


def _sync(agent: Agent, actor: Actor, report: SyncReport) -> None:
    version, new = AgentVersion.objects.get_or_create(
        digest=agent.version,
        defaults={
            "slug": agent.slug,
            "definition": agent.definition,
            "first_seen_at": database_now(),
        },
    )
    if version.variant:
        # Somebody tried it before it was declared.
        version.variant, version.first_seen_at, new = False, database_now(), True
        version.save(update_fields=["variant", "first_seen_at"])
    group, new_group = ReviewGroup.objects.get_or_create(
        slug=agent.owner, defaults={"title": agent.owner.replace("-", " ").title()}
    )
    if new_group:
        report.new_groups.append(agent.owner)
        record(type="group.created", actor=actor, stream="log", facts={"group": agent.owner})
    hosted, new_agent = HostedAgent.objects.update_or_create(
        slug=agent.slug,
        defaults={"title": agent.title, "category": agent.category.value, "owner_group": group},
    )
    if new_agent:
        report.new_agents.append(agent.slug)
    if new:
        report.new_versions.append(agent.slug)
        record(
            type="agent.first_seen",
            actor=actor,
            stream=f"agent:{agent.slug}",
            agent=AgentRef(slug=agent.slug, version=agent.version),
            facts={"category": agent.category.value, "owner": agent.owner},
        )
    if hosted.active_version_id != version.pk:
        report.awaiting_activation.append(agent.slug)
        active = hosted.active_version
        report.differences[agent.slug] = (
            changes_between(active.definition, version.definition) if active else []
        )

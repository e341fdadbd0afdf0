"""The recorded versions of an agent, and how one differs from another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents import registry
from agents.errors import UnknownVersion
from agents.models import AgentVersion, HostedAgent
from agents.version_diff import Change, differences

MOST_LISTED = 50


@dataclass(frozen=True)
class Compared:
    """One version of an agent beside another, which is None where there is none to compare with.

    `installed`: it is the one whose code runs here, and can therefore be activated.
    """

    version: AgentVersion
    against: AgentVersion | None
    active: bool
    installed: bool
    changes: Sequence[Change]

    def as_json(self) -> dict[str, Any]:
        """As the API tells it."""
        return {
            "agent": self.version.slug,
            "digest": self.version.digest,
            "first_seen_at": self.version.first_seen_at.isoformat(),
            "active": self.active,
            "installed": self.installed,
            "compared_with": self.against.digest if self.against else None,
            "changes": [change.as_json() for change in self.changes],
            "definition": self.version.definition,
        }


def versions_of(hosted: HostedAgent) -> list[AgentVersion]:
    """The agent's versions, the one that was seen last first."""
    rows = AgentVersion.objects.declared().filter(slug=hosted.slug)
    return list(rows.order_by("-first_seen_at", "-pk")[:MOST_LISTED])


def compare(hosted: HostedAgent, digest: str, against: str = "") -> Compared:
    """The version with that digest beside `against`; beside the active one, where none is named.

    The active version is compared with the one that was seen before it. Raises UnknownVersion.
    """
    version = _version(hosted, digest)
    active = hosted.active_version_id == version.pk
    other = _version(hosted, against) if against else _default(hosted, version, active=active)
    declared = registry.find(hosted.slug)
    return Compared(
        version,
        other,
        active,
        installed=declared is not None and declared.version == digest,
        changes=differences(other.definition if other else {}, version.definition),
    )


def _version(hosted: HostedAgent, digest: str) -> AgentVersion:
    version = AgentVersion.objects.filter(slug=hosted.slug, digest=digest).first()
    if version is None:
        raise UnknownVersion(hosted.slug, digest)
    return version


def _default(hosted: HostedAgent, version: AgentVersion, *, active: bool) -> AgentVersion | None:
    if not active:
        return hosted.active_version
    declared = AgentVersion.objects.declared().filter(slug=hosted.slug)
    earlier = declared.filter(first_seen_at__lt=version.first_seen_at)
    return earlier.order_by("-first_seen_at").first()

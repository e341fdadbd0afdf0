"""Hosted agents, their versions, and the tools that were offered to models."""

from __future__ import annotations

from typing import Self

from django.db import models

from accounts.models import User
from agents.models.fields import groups_of


class AgentVersionQuerySet(models.QuerySet["AgentVersion"]):
    def declared(self) -> Self:
        """Those that were installed here at some time."""
        return self.filter(variant=False)


class AgentVersion(models.Model):
    """The full definition of an agent as it ran; immutable, named by its digest.

    `variant`: nobody declared it; it was put together for a simulated run, and no other runs on it.
    """

    digest = models.CharField(max_length=71, unique=True)
    slug = models.CharField(max_length=63, db_index=True)
    definition = models.JSONField()
    first_seen_at = models.DateTimeField()
    variant = models.BooleanField(default=False, db_default=False)

    objects = AgentVersionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.slug} {self.digest[7:19]}"


class OfferedTools(models.Model):
    """The tools that model calls were made with, whole; immutable, named by its digest. Journals refer to it."""

    digest = models.CharField(max_length=71, primary_key=True)
    tools = models.JSONField()

    def __str__(self) -> str:
        return self.digest


class HostedAgentQuerySet(models.QuerySet["HostedAgent"]):
    def visible_to(self, user: User) -> Self:
        """Everyone who may start runs, decide, or read everything sees that an agent exists."""
        if not user.is_active:
            return self.none()
        needed = ("start_runs", "decide_requests", "read_everything", "manage_agents")
        if any(user.has_perm(f"accounts.{name}") for name in needed):
            return self.all()
        return self.filter(owner_group__in=groups_of(user))


class HostedAgent(models.Model):
    """An agent as it is operated: which version runs, who answers for it, and what it may use.

    `limits` is an `agents.agent_limits.AgentLimits`, set last at `limits_set_at`.
    """

    slug = models.CharField(max_length=63, unique=True)
    title = models.CharField(max_length=200)
    category = models.CharField(max_length=20)
    owner_group = models.ForeignKey(
        "accounts.ReviewGroup", on_delete=models.PROTECT, related_name="+"
    )
    active_version = models.ForeignKey(
        AgentVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    limits = models.JSONField(
        default=dict, blank=True, db_default=models.Value({}, models.JSONField())
    )
    limits_set_at = models.DateTimeField(null=True, blank=True)

    objects = HostedAgentQuerySet.as_manager()

    def __str__(self) -> str:
        return self.slug

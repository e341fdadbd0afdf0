"""Kill switches: what is switched off, by whom, since when and why. At most one is on for each target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Exists, F, Func, IntegerField, Q
from django.utils.translation import gettext
from uuid6 import uuid7

from agents.states import SwitchScope

if TYPE_CHECKING:
    from accounts.models import User
    from agents.models.run import Run

WHOLE = ""
"""In place of a tool's name: everything of the agent, and not one of its tools."""


def new_id() -> UUID:
    """A UUIDv7: ordered by the time it was made."""
    return UUID(int=uuid7().int)


class KillSwitchQuerySet(models.QuerySet["KillSwitch"]):
    def visible_to(self, user: User) -> Self:
        """All for those who manage agents or read everything; for the people of an owner group those that
        hold one of their agents."""
        if not user.is_active:
            return self.none()
        if user.has_perm("accounts.manage_agents") or user.has_perm("accounts.read_everything"):
            return self.all()
        owned = apps.get_model("agents", "HostedAgent").objects.filter(owner_group__members=user)
        return self.filter(Q(agent__in=owned) | Q(Exists(owned), agent__isnull=True))

    def active(self) -> Self:
        """Those that are on."""
        return self.filter(lifted_at__isnull=True)

    def over_agent(self, agent: Any) -> Self:
        """Those that concern the agent or any of its tools; `agent` is a key or a reference to one."""
        return self.filter(Q(agent__isnull=True) | Q(agent=agent))

    def over_line(self, agent: Any, under: Any) -> Self:
        """Those that concern a run of an agent or any of its tools, and those that hold everything of an
        agent above it. Both are references, `under` to an array of keys."""
        place = Func(under, F("agent_id"), function="array_position", output_field=IntegerField())
        above = Q(place_above__isnull=False, tool=WHOLE)
        return self.alias(place_above=place).filter(Q(agent__isnull=True) | Q(agent=agent) | above)

    def over_run(self, run: Run) -> Self:
        """Those that hold all of a run: of everything, of its agent, of an agent above it."""
        agents = [run.agent_id, *run.under]
        return self.filter(Q(agent__isnull=True) | Q(agent__in=agents), tool=WHOLE)

    def over_call(self, slug: str, tool: str) -> Self:
        """Those that hold a call of the tool by the agent, the one that is on longest first."""
        of_agent = Q(agent__isnull=True) | Q(agent__slug=slug)
        return self.filter(of_agent, tool__in=[WHOLE, tool]).order_by("set_at", "id")

    def newest_first(self) -> Self:
        return self.order_by("-set_at", "-id")


class KillSwitch(models.Model):
    """A switch that was set. Without an agent it holds all of them, without a tool all that they do."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent = models.ForeignKey(
        "agents.HostedAgent",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="kill_switches",
    )
    tool = models.CharField(max_length=64, blank=True, default=WHOLE)
    reason = models.TextField()
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    set_at = models.DateTimeField()
    lift_reason = models.TextField(blank=True, default="")
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = KillSwitchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "tool"],
                condition=Q(lifted_at__isnull=True),
                nulls_distinct=False,
                name="kill_switch_on_once",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="kill_switch_has_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=False) | Q(lifted_by__isnull=True, lift_reason=""),
                name="kill_switch_lifted_with_time",
            ),
        ]
        indexes = [models.Index(fields=["-set_at", "-id"], name="kill_switch_newest")]

    def __str__(self) -> str:
        return f"{self.scope} switch ({'on' if self.is_on else 'lifted'})"

    @property
    def is_on(self) -> bool:
        return self.lifted_at is None

    @property
    def scope(self) -> SwitchScope:
        """How much it holds."""
        if self.agent_id is None:
            return SwitchScope.TOOL if self.tool else SwitchScope.GLOBAL
        return SwitchScope.AGENT_TOOL if self.tool else SwitchScope.AGENT

    @property
    def target(self) -> str:
        """What is switched off, for a person."""
        tool = self.tool.replace("_", " ").capitalize()
        match self.scope:
            case SwitchScope.GLOBAL:
                return gettext("Everything")
            case SwitchScope.TOOL:
                return gettext("{tool}, for every agent").format(tool=tool)
            case SwitchScope.AGENT_TOOL:
                if self.agent is None:
                    return tool
                return gettext("{tool} of {agent}").format(tool=tool, agent=self.agent.title)
            case _:
                return self.agent.title if self.agent else ""

    @property
    def sentence(self) -> str:
        """For whoever is held up by it."""
        return gettext("{what} is switched off: {reason}").format(
            what=self.target, reason=self.reason
        )


def holds_whole(agent: Any, under: Any) -> Exists:
    """That everything is held of an agent in a run under other agents: a condition for a query over runs."""
    return Exists(KillSwitch.objects.active().over_line(agent, under).filter(tool=WHOLE))


def holds_call(agent: Any, tool: Any) -> Exists:
    """That a tool of an agent is switched off by itself: a condition for a query over calls."""
    return Exists(KillSwitch.objects.active().over_agent(agent).filter(tool=tool))

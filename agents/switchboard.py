"""Which kill switches are on, as pages and programs read them: what holds an agent, a run, a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from accounts.models import User
from agents.kill_switches import WHOLE, KillSwitch
from agents.models import HostedAgent, Run, Step
from agents.states import CLAIMABLE, STOPPABLE
from audit.prepared import Prepared


@dataclass(frozen=True)
class Switchboard:
    """The switches that are on, the one that is on longest first."""

    switches: Sequence[KillSwitch]

    @classmethod
    def now(cls) -> Switchboard:
        """As it stands. One query."""
        rows = KillSwitch.objects.active().select_related("agent", "set_by")
        return cls(list(rows.order_by("set_at", "id")))

    def over_agent(self, agent: int) -> KillSwitch | None:
        """What holds everything of the agent: its own switch before the one of everything."""
        held = [each for each in self.switches if each.agent_id in (None, agent) and not each.tool]
        return next((each for each in held if each.agent_id is not None), held[0] if held else None)

    def own(self, agent: int) -> KillSwitch | None:
        """The switch of the agent itself."""
        return next((e for e in self.switches if e.agent_id == agent and not e.tool), None)

    def over_tools(self, agent: int) -> list[KillSwitch]:
        """Those of single tools that the agent calls, its own and those for every agent."""
        return [each for each in self.switches if each.agent_id in (None, agent) and each.tool]

    @property
    def has_tools(self) -> bool:
        return any(each.tool for each in self.switches)


@dataclass(frozen=True)
class HeldBack:
    """What a switch holds back now, of what one reader may see: runs that would go on, and approved calls."""

    runs: int = 0
    calls: int = 0


#: Asked with every page.
_of_everything = Prepared(
    lambda: (
        KillSwitch.objects.active()
        .select_related("set_by")
        .filter(agent__isnull=True, tool=WHOLE)
        .order_by("pk")
    )
)


def global_switch() -> KillSwitch | None:
    """The switch of everything, while it is on."""
    return _of_everything.one()


def halts_of(runs: Sequence[Run]) -> dict[UUID, list[KillSwitch]]:
    """What holds each open run up now, by run id. One query, and one more where a tool is switched off."""
    board = Switchboard.now()
    if not board.switches:
        return {}
    held: dict[UUID, list[KillSwitch]] = {}
    stopped: dict[UUID, set[str]] = _stopped_tools(runs) if board.has_tools else {}
    for run in runs:
        if run.ended:
            continue
        lines = (board.over_agent(agent) for agent in (run.agent_id, *run.under))
        whole = next((switch for switch in lines if switch is not None), None)
        tools = stopped.get(run.pk, set())
        single = [each for each in board.over_tools(run.agent_id) if each.tool in tools]
        if found := [*([whole] if whole else []), *single]:
            held[run.pk] = found
    return held


def _stopped_tools(runs: Iterable[Run]) -> dict[UUID, set[str]]:
    found: dict[UUID, set[str]] = {}
    rows = Step.objects.filter(run__in=list(runs), stopped=True, state__in=STOPPABLE)
    for run_id, name in rows.values_list("run", "name"):
        found.setdefault(run_id, set()).add(name)
    return found


def held_back(switches: Sequence[KillSwitch], user: User) -> dict[UUID, HeldBack]:
    """What each of these switches holds back, by its id. The queries do not grow with the runs."""
    seen = Run.objects.visible_to(user)
    counts: dict[UUID, HeldBack] = {}
    whole = [each for each in switches if each.is_on and not each.tool]
    if whole:
        runs = _by_agent(
            seen.filter(state__in=CLAIMABLE).values_list("agent").annotate(n=Count("pk"))
        )
        ready = Q(run__in=seen.filter(state__in=CLAIMABLE).values("pk"))
        approved = Step.objects.filter(
            ready, kind="tool", state="waiting", resolution__kind="approved"
        )
        calls = _by_agent(approved.values_list("run__agent").annotate(n=Count("pk")))
        for each in whole:
            if each.agent_id is None:
                counts[each.pk] = HeldBack(sum(runs.values()), sum(calls.values()))
            else:
                counts[each.pk] = HeldBack(runs.get(each.agent_id, 0), calls.get(each.agent_id, 0))
    single = [each for each in switches if each.is_on and each.tool]
    if single:
        stopped = Step.objects.filter(
            stopped=True, state__in=STOPPABLE, run__in=seen.open().values("pk")
        )
        rows = list(stopped.values_list("run", "run__agent", "name", "approval_id"))
        for each in single:
            mine = [
                (run, approval)
                for run, agent, name, approval in rows
                if name == each.tool and each.agent_id in (None, agent)
            ]
            counts[each.pk] = HeldBack(
                len({run for run, _ in mine}), sum(approval is not None for _, approval in mine)
            )
    return counts


def _by_agent(rows: Iterable[tuple[int, int]]) -> dict[int, int]:
    return dict(rows)


def agents_to_switch(user: User) -> list[HostedAgent]:
    """The agents whose switches this person may set: all for those who manage agents, else their own."""
    rows = HostedAgent.objects.order_by("title", "slug")
    if user.has_perm("accounts.manage_agents"):
        return list(rows)
    return list(rows.filter(owner_group__members=user).distinct())


def may_switch(switch: KillSwitch, user: User, own: Iterable[int]) -> bool:
    """Whether this person may lift the switch; `own` are the keys of the agents that are theirs."""
    return user.has_perm("accounts.manage_agents") or switch.agent_id in set(own)


def switch_as_json(switch: KillSwitch, held: Mapping[UUID, HeldBack]) -> dict[str, Any]:
    """A switch as programs read it; `held_back` while it is on."""
    counts = held.get(switch.pk)
    return {
        "id": str(switch.pk),
        "scope": switch.scope.value,
        "agent": switch.agent.slug if switch.agent else None,
        "tool": switch.tool or None,
        "on": switch.is_on,
        "reason": switch.reason,
        "set_by": switch.set_by.username if switch.set_by else None,
        "set_at": switch.set_at.isoformat(),
        "lift_reason": switch.lift_reason or None,
        "lifted_by": switch.lifted_by.username if switch.lifted_by else None,
        "lifted_at": switch.lifted_at.isoformat() if switch.lifted_at else None,
        "held_back": {"runs": counts.runs, "approved_calls": counts.calls} if counts else None,
    }


def halt_as_json(switch: KillSwitch) -> dict[str, Any]:
    """A switch among what a run waits for."""
    return {
        "approval": None,
        "kind": "kill_switch",
        "name": switch.tool or (switch.agent.slug if switch.agent else "everything"),
        "step": None,
        "kill_switch": str(switch.pk),
        "scope": switch.scope.value,
        "reason": switch.reason,
        "since": switch.set_at.isoformat(),
    }

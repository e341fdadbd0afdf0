"""Caps of a run: what is counted, and which one is reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.agent_limits import AgentLimits, budget_in_force
from agents.definitions import Agent, Budget
from agents.errors_in_a_row import errors_in_a_row
from agents.journal import Journal
from agents.models import Run
from agents.states import RunState
from audit.clock import moment_of


@dataclass(frozen=True)
class Cap:
    """A reached cap: its name in `Budget`, what was used, and the limit with its extensions.

    `needed` is what the next call may take, where that alone would pass the limit; `most` by how much
    people may still extend it, None where nothing bounds that.
    """

    name: str
    used: int
    limit: int
    needed: int = 0
    most: int | None = None


def reached_cap(agent: Agent, run: Run, journal: Journal) -> Cap | None:
    """The first cap that the run has reached, or None. `run` was read with the clock."""
    return _first(agent, run, {**_counted(run), "errors": errors_in_a_row(journal.steps)}, {})


def passed_cap(agent: Agent, run: Run, needed: Mapping[str, int]) -> Cap | None:
    """The cap that what is needed next would pass, by its name; or None."""
    return _first(agent, run, _counted(run), needed)


def cap_at(agent: Agent, run: Run, name: str, used: int) -> Cap | None:
    """The cap of that name where so much use reaches it, or None."""
    return _first(agent, run, {name: used}, {})


def caps_in_force(agent: Agent, run: Run) -> Budget:
    """The caps of the run without what people added to them: declared ones, but for what admins set."""
    return budget_in_force(agent, limits_of(run))


def limits_of(run: Run) -> AgentLimits:
    """What admins have set for the run's agent."""
    return AgentLimits.load(run.agent.limits)


def _first(
    agent: Agent, run: Run, used: Mapping[str, int], needed: Mapping[str, int]
) -> Cap | None:
    limits, budget = limits_of(run), caps_in_force(agent, run)
    for name, amount in used.items():
        cap: int | None = getattr(budget, name)
        if cap is None:
            continue
        limit = cap + int(run.extra_caps.get(name, 0))
        more = needed.get(name, 0)
        # Where nothing may be spent, what costs nothing still goes on.
        free = name == "cost_micros" and not amount
        if (amount >= limit and not free) or amount + more > limit:
            return Cap(name, amount, limit, more, max(0, cap * limits.extend_times - limit))
    return None


def _counted(run: Run) -> dict[str, int]:
    return {
        "steps": run.step_count,
        "model_calls": run.model_calls,
        "tool_calls": run.tool_calls,
        "tokens": run.tokens_in + run.tokens_out,
        "cost_micros": run.cost_micros,
        "active_seconds": int(seconds_at_work(run)),
    }


def seconds_at_work(run: Run) -> float:
    """How long workers have worked on the run, up to the moment at which it was read with the clock."""
    if run.state != RunState.RUNNING or run.claimed_at is None:
        return run.active_seconds
    return run.active_seconds + max(0.0, (moment_of(run) - run.claimed_at).total_seconds())

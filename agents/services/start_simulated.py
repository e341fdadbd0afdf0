"""Start a simulated run: the engine, the gate and the models are real, and no call is made (`agents.simulation`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from accounts.callers import Caller
from agents import registry
from agents.definitions import Agent
from agents.drift import may_finish_old
from agents.errors import AgentDisabled, EverythingStopped, UnknownAgent
from agents.events import announce, tell
from agents.flow_changes import changed_states
from agents.holding import held_for_now, is_held
from agents.kill_switches import WHOLE, KillSwitch
from agents.models import AgentVersion, HostedAgent, Run, Simulation, Step
from agents.queues import RUNS, wake_on_commit
from agents.services.spent_budget import refuse_where_spent
from agents.services.start_run import INPUT, normalised_input, title_for
from agents.simulation import GivenAnswer
from agents.simulation_errors import VersionNotThere
from agents.states import StepKind, StepState, Unanswered
from agents.tools import Trust
from audit.canonical import canonical_bytes, sha256_hex
from audit.clock import database_now
from audit.writes import insert


def start_simulated(
    *,
    agent: str,
    version: AgentVersion | None = None,
    input: Any,
    answers: Sequence[GivenAnswer],
    unanswered: Unanswered = Unanswered.END,
    caller: Caller,
) -> Run:
    """Start a run whose calls are answered with what is given, in order; of the installed version, or of any
    other that the installed tools can follow (`keep_variant` makes one with another model or other words).

    It is put on the queue like every run, costs what its model calls cost, keeps within the agent's caps, and ends
    as failed, with a code in `failure`, where it would ask a person: `answer_unfounded`, `cap_reached`,
    `unanswered`, or that of a trouble. Raises UnknownAgent, AgentDisabled, EverythingStopped, BudgetSpent,
    InvalidInput, VersionNotThere, or Forbidden without the permission to start runs.
    """
    caller.require("start_runs", scope="run")
    with transaction.atomic():
        hosted, installed = may_simulate(agent)
        chosen = version or AgentVersion.objects.get(digest=installed.version)
        check_version(installed, chosen)
        given = normalised_input(installed, input)
        untrusted = installed.input_trust is Trust.UNTRUSTED
        run = Run(
            agent=hosted,
            agent_version=chosen,
            initiator=caller.user,
            input=given,
            input_digest=sha256_hex(canonical_bytes(given)),
            title=title_for(given),
            tainted=untrusted,
            tainted_by=[INPUT] if untrusted else [],
            simulated=True,
            created_at=database_now(),
        )
        run.save(force_insert=True)
        stored = [each.model_dump(mode="json") for each in answers]
        Simulation.objects.create(run=run, answers=stored, unanswered=unanswered)
        begin_simulation(run, 1, {"answers": len(stored)})
        tell(run, "run.started", actor=caller.actor)
        let_begin(run)
    return run


def may_simulate(agent: str) -> tuple[HostedAgent, Agent]:
    """The agent as it is hosted and declared. No switch is set before the transaction ends. Raises UnknownAgent,
    AgentDisabled, EverythingStopped, BudgetSpent."""
    hosted = (
        HostedAgent.objects.select_related("active_version", "owner_group")
        .annotate(held=held_for_now("pk"))
        .filter(slug=agent)
        .first()
    )
    installed = registry.find(agent)
    if hosted is None or installed is None:
        raise UnknownAgent(agent)
    if is_held(hosted):
        everything = KillSwitch.objects.active().filter(agent__isnull=True, tool=WHOLE)
        raise EverythingStopped if everything.exists() else AgentDisabled(agent)
    refuse_where_spent(hosted)
    return hosted, installed


def check_version(installed: Agent, version: AgentVersion) -> None:
    """Raise VersionNotThere where the installed code cannot follow this version of its agent."""
    if version.slug != installed.slug:
        raise VersionNotThere(installed.slug, version.digest)
    if version.digest == installed.version:
        return
    follows = may_finish_old(installed, version.definition)
    if not follows or changed_states(version.definition, installed.definition):
        raise VersionNotThere(installed.slug, version.digest)


def begin_simulation(run: Run, seq: int, about: Mapping[str, Any]) -> Step:
    """Insert the step from which on the run is simulated."""
    now = database_now()
    step = Step(
        run=run,
        seq=seq,
        schema=Step.SIMULATION_SCHEMA,
        kind=StepKind.SIMULATION,
        name="simulation",
        state=StepState.SUCCEEDED,
        request=dict(about),
        started_at=now,
        finished_at=now,
    )
    insert(step)
    return step


def let_begin(run: Run) -> None:
    """On commit have a worker take the run up, and tell open pages."""
    wake_on_commit(run.pk, run.wake_seq, RUNS)
    announce(run, "started", version=run.version)

"""Begin the next model call in the transaction of what comes before it, where it is plain that it comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agents.caps import reached_cap
from agents.context import build_context
from agents.definitions import Agent
from agents.holding import is_undisturbed
from agents.journal import Journal
from agents.journal_schemas import shortened
from agents.loop_reading import loop_in
from agents.model_calls import chain_of, endpoints_of, window_of
from agents.models import Run, Step
from agents.services.call_model import digest_of, note_model_call
from agents.services.propose_undo import wished
from agents.states import StepKind
from agents.weighing import cap_of_call


@dataclass(frozen=True)
class Begun:
    """A model call that is begun: it is to be made now, with `request`."""

    run: Run
    agent: Agent
    journal: Journal
    step: Step
    request: dict[str, Any]


GoOn = Callable[[Run, Step], Begun | None]
"""What comes after a step that was just settled, begun in the same transaction: of the run, whose row the caller
holds, as it stands now, and the step as it was stored."""


def going_on(seen: Run, agent: Agent, journal: Journal, stopping: Callable[[], bool]) -> GoOn:
    """Going on with a step of this journal settled. `seen`: the run as it was read when the step was begun;
    `stopping`: whether the process is asked to stop, which begins nothing any more."""

    def go_on(run: Run, settled: Step) -> Begun | None:
        if stopping() or run.agent_version_id != seen.agent_version_id:
            return None
        steps = [settled if step.pk == settled.pk else step for step in journal.steps]
        return begin_next(run, agent, Journal(steps))

    return go_on


def begin_next(run: Run, agent: Agent, journal: Journal) -> Begun | None:
    """Begin it; None, with nothing changed, where anything else may come first, which the ordinary way finds out.

    The caller holds the run's row, read with what is switched off, and raises its version. `run` and `journal` are
    as they stand in the transaction.
    """
    if not is_undisturbed(run) or not _is_plain(agent, journal):
        return None
    if wished(run, agent, journal) or reached_cap(agent, run, journal) is not None:
        return None
    if loop_in(agent, journal) is not None:
        return None
    chain = chain_of(agent, journal)
    if len(chain) < len(endpoints_of(agent)):
        return None
    context = build_context(agent, run, journal.steps, window=window_of(chain))
    request = context.request
    if not context.fits or cap_of_call(agent, run, request, chain) is not None:
        return None
    step = note_model_call(
        run,
        shortened(request, journal.steps, context.notes),
        earlier=journal,
        model=chain[0].name,
        digest=digest_of(request),
    )
    return Begun(run, agent, journal, step, request)


def _is_plain(agent: Agent, journal: Journal) -> bool:
    """Whether the run goes the ordinary way of a model loop, and waits for nothing."""
    if agent.flow is not None or (agent.route is not None and agent.route.classify):
        return False
    if journal.unsettled or any(step.kind == StepKind.ROUTE for step in journal.steps):
        return False
    # What was accepted may have bounced, of which the model is told before it is asked again.
    return all((step.output or {}).get("status") != "accepted" for step in journal.steps)

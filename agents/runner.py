"""Advancing a run: one safe step after the other, each journalled before the next begins."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from uuid import UUID

import structlog

from accounts.languages import in_no_language
from agents import registry, spans
from agents.bound import bind
from agents.call_steps import CallSteps
from agents.caps import reached_cap
from agents.definitions import Agent
from agents.drift import OLD, Trouble, describe_drift, is_for_others, stale_calls
from agents.effects import recover, send
from agents.errors import LostLease
from agents.flow_steps import FlowSteps
from agents.holding import is_held
from agents.journal import Journal, Journals
from agents.leases import renewer
from agents.loop_reading import loop_in, trouble_of
from agents.model_calls import chain_of
from agents.model_steps import ModelSteps
from agents.models import Run
from agents.people_steps import attention, budget, settle_people_step
from agents.route_steps import RouteSteps, is_unrouted, routed
from agents.score_steps import ScoreSteps
from agents.services.begin_next import Begun, going_on
from agents.services.change_version import leave_to_others, withdraw_calls
from agents.services.claim import Lease, read_run
from agents.services.end import end_undo
from agents.services.hear import hear
from agents.services.park import park
from agents.services.propose_undo import propose_undos
from agents.services.release import release
from agents.services.take_up import MOST_STALLED_CLAIMS, Intended, TakenUp, take_up
from agents.services.tell_bounces import tell_bounces
from agents.simulated_steps import SimulatedSteps
from agents.states import HOLDING, StepKind
from audit import log_ids, tracing
from audit.fault_points import reached

log = structlog.get_logger(__name__)

CRASH_LOOP = Trouble(
    "crash_loop",
    "workers die or fail on it again and again",
    "It was taken up several times without getting further. Look at the logs, then go on or stop the run.",
    {},
)
REPAIRS_EXHAUSTED = Trouble(
    "repairs_exhausted",
    "the model does not give a usable call",
    "Each model of its chain was told what was wrong and repeated it. Look at the last replies, then go on or "
    "stop the run.",
    {},
)


def advance(run_id: UUID, *, owner: str, stopping: Callable[[], bool]) -> bool:
    """Claim the run and advance it until it parks, sleeps, ends, or the process is asked to stop.

    Returns whether it was ours to advance. A lost lease ends quietly: the new owner goes on. Log lines of it
    carry the run's id, and nothing of what this process did before.
    """
    with log_ids.only("job", run=str(run_id)):
        return _advance_one(run_id, owner, stopping)


def _advance_one(run_id: UUID, owner: str, stopping: Callable[[], bool]) -> bool:
    since, began = monotonic(), tracing.now()
    taken = take_up(run_id, owner=owner)
    if taken is None:
        return False
    lease = taken.lease
    reached("run.claimed")
    # What a run asks and is told is kept: it depends on nobody's language.
    with (
        in_no_language(),
        renewer.hold(lease, since=since),
        spans.stretch(taken.run, owner=owner, since=began),
    ):
        try:
            more, journals = _begin(taken, stopping), Journals(run_id)
            while more:
                if stopping():
                    release(lease)
                    break
                more = advance_once(lease, journals, stopping)
        except LostLease:
            log.warning("lease_lost", run=str(lease.run_id), epoch=lease.epoch)
            tracing.event("lease_lost", {"countersign.run.epoch": lease.epoch})
    return True


def _begin(taken: TakenUp, stopping: Callable[[], bool]) -> bool:
    match taken.next:
        case Intended(run, agent, journal, step):
            with spans.step(step):
                done = send(taken.lease, taken.next, going_on(run, agent, journal, stopping))
            return _ask(taken.lease, done)
        case Begun():
            return _ask(taken.lease, taken.next)
    return advance_once(taken.lease, Journals(taken.lease.run_id), stopping)


def _ask(lease: Lease, begun: bool | Begun) -> bool:
    """Make the model call that was begun with what was done last, if one was; whether there is more to do now."""
    if not isinstance(begun, Begun):
        return begun
    return ModelSteps(lease, begun.run, begun.agent, begun.journal).ask(begun.step, begun.request)


def advance_once(lease: Lease, journals: Journals, stopping: Callable[[], bool]) -> bool:
    """Do the next thing; True when there is more to do now."""
    return _ask(lease, _advance_it(lease, journals, stopping))


def _advance_it(lease: Lease, journals: Journals, stopping: Callable[[], bool]) -> bool | Begun:
    if renewer.is_lost(lease):
        raise LostLease
    run = read_run(lease)
    cancelling = run.cancel_requested_at is not None
    if not cancelling and (run.paused_at is not None or is_held(run)):
        release(lease)
        return False
    journal = journals.read()
    agent = registry.find(run.agent.slug)
    stalled = run.stalled_claims > MOST_STALLED_CLAIMS
    sent = journal.sent
    if sent is not None:
        # Before anything else, whatever has changed since: it may have happened.
        with spans.step(sent):
            return recover(lease, run, agent, journal, sent, stalled=stalled)
    for step in journal.unsettled:
        if step.resolution is not None and (
            step.kind == StepKind.IN_DOUBT or (step.kind in HOLDING and not cancelling)
        ):
            settle_people_step(lease, step, journal)
            return True
    if run.unheard and not cancelling and journal.readable:
        return hear(lease, journal)
    if cancelling or any(step.kind in HOLDING for step in journal.unsettled):
        park(lease, [], held=True)
        return False
    trouble = CRASH_LOOP if stalled else describe_drift(agent, run, journal)
    if trouble is not None and run.simulated and OLD in trouble.choices:
        # Nobody has to choose: no call of it is made by the tools as they are now.
        trouble = None
    if trouble is not None and is_for_others(trouble, run) and leave_to_others(lease):
        return False
    if trouble is not None:
        return attention(lease, run, journal, trouble)
    assert agent is not None, "an agent that is gone is trouble"
    bound = bind(agent, run.agent_version)
    stale = stale_calls(bound, agent, journal)
    if stale:
        withdraw_calls(lease, stale)
        return True
    return _advance(lease, run, bound, journal, stopping)


def _advance(
    lease: Lease, run: Run, agent: Agent, journal: Journal, stopping: Callable[[], bool]
) -> bool | Begun:
    if propose_undos(lease, run, agent, journal):
        return True
    agent = routed(agent, journal)
    carried_out = SimulatedSteps if run.simulated else CallSteps
    calls = carried_out(lease, run, agent, journal, stopping)
    cap = reached_cap(agent, run, journal)
    if cap is not None and not calls.only_ending:
        return budget(lease, run, journal, cap)
    if run.undoes_id is None and is_unrouted(agent, journal):
        return RouteSteps(lease, run, agent, journal).advance()
    if journal.unjudged:
        return ScoreSteps(lease, run, agent, journal).advance()
    loop = None if calls.only_ending else loop_in(agent, journal)
    if loop is not None:
        return attention(lease, run, journal, trouble_of(loop, journal))
    if calls.any_open:
        return calls.advance()
    if run.undoes_id is not None:
        end_undo(lease, next((step for step in journal.steps if step.undoes_id), None))
        return False
    if not chain_of(agent, journal):
        return attention(lease, run, journal, REPAIRS_EXHAUSTED)
    if tell_bounces(lease, run, journal):
        return True
    if agent.flow is not None:
        return FlowSteps(lease, run, agent, journal).advance()
    return ModelSteps(lease, run, agent, journal).advance()

"""Park a run: its requests and its waiting state in one transaction; the lease is given back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from agents import spans
from agents.context import refusal_message
from agents.events import action_ref, announce, tell
from agents.holding import is_held
from agents.models import Run, Step
from agents.queues import RESUMES, wake_on_commit
from agents.resolved import earliest_ready_at, resolved_steps
from agents.services.claim import Lease, fenced
from agents.services.end import end_if_cancelled
from agents.services.release_locks import check_turn_on_commit, release_locks
from agents.simulation_errors import InEarnest
from agents.states import PEOPLE, RunState, StepState
from approvals.errors import NobodyCouldDecide
from approvals.schemas import Opening
from approvals.services.open_request import open_request
from approvals.vocabulary import Risk
from audit.actors import Actor
from audit.clock import database_now
from audit.fault_points import reached
from audit.schemas import Outcome
from audit.writes import insert


@dataclass(frozen=True)
class Ask:
    """A request to open for a step. The step is inserted when it is not in the journal yet.

    `noted`: what its `request` holds from now on, where that changes.
    """

    step: Step
    opening: Opening
    state_token: str = ""
    noted: Mapping[str, Any] | None = None


def park(
    lease: Lease,
    asks: Sequence[Ask],
    *,
    held: bool = False,
    in_line: Collection[UUID] = (),
    held_back: Mapping[UUID, float] | None = None,
    stopped: Sequence[Step] = (),
    early: Collection[UUID] = (),
    for_children: bool = False,
) -> None:
    """Open the requests and let go of the run until one of them resolves.

    Where a decision landed since the claim, or an approval waits for the end of its undo time, the run
    becomes ready instead of waiting. `held`: only a person's word on the run itself lets it go on, so
    that approvals of its calls wait with it. `in_line`: calls that wait for a resource; `stopped`: calls
    that a kill switch holds; `held_back`: calls whose tool may not be called yet, with the seconds until it
    may, for which the run sleeps; `early`: calls to other agents that are settled after an earlier one. All
    whatever was decided on them. `for_children`: it waits for runs that it delegated to, and nothing else.
    """
    reached("park.begun")
    with spans.parking(asks) as made, fenced(lease, with_switches=True, may_end=True) as run:
        if end_if_cancelled(run):
            return
        if asks and run.simulated:
            raise InEarnest("ask people")
        actor = Actor.agent(run.agent.slug)
        # A call that nobody could decide on is settled here, and the model is told at once.
        refused = [ask for ask in asks if not _opened(run, ask, actor)]
        reached("park.requests_open")
        now = database_now()
        waiting = {step.pk for step in stopped}
        # One that was lifted in between has woken whoever was parked then.
        freed = any(not is_held(run, step.name) for step in stopped)
        if waiting and not freed:
            Step.objects.filter(pk__in=waiting).update(stopped=True)
        besides = {*in_line, *(held_back or ()), *waiting, *early}
        resolved = [each for each in resolved_steps(run.pk) if each.step not in besides]
        heard = [each for each in resolved if not held or each.kind in PEOPLE]
        woken = bool(heard) or freed or bool(refused) or run.wake_seq != lease.wake_seq
        at_once = freed or bool(refused)
        # A wake-up of its own: the job that is at work now bears the number of the last one.
        wake_seq = run.wake_seq + at_once
        ready_at = (now if at_once else earliest_ready_at(resolved, now)) if woken else None
        sleeps = not woken and held_back
        wake_at = now + timedelta(seconds=min(held_back.values())) if held_back else None
        state = RunState.READY if woken else RunState.SLEEPING if sleeps else RunState.WAITING
        Run.objects.move(
            run.pk,
            state,
            lease_owner="",
            lease_expires_at=None,
            # Asleep it waits for no person, or not for them alone.
            parked_at=None if sleeps else now,
            stalled_claims=0,
            ready_at=ready_at,
            wake_at=wake_at if sleeps else None,
            wake_seq=wake_seq,
        )
        facts: dict[str, Any] = {"requests": len(asks) - len(refused)}
        if for_children:
            facts["why"] = "child"
        if waiting:
            facts["why"] = "switch"
        if in_line:
            facts["why"] = "resource"
            check_turn_on_commit(run.pk)
        spans.parked(made, state, facts)
        if asks or not sleeps:
            tell(run, "run.parked", facts=facts)
        if ready_at is not None and ready_at <= now:
            wake_on_commit(run.pk, wake_seq, RESUMES)
        announce(run, "parked")


def _opened(run: Run, ask: Ask, actor: Actor) -> bool:
    """Open the request; False where too few people could approve the call, which is then refused."""
    step = ask.step
    try:
        request = open_request(opening=ask.opening, actor=actor)
    except NobodyCouldDecide as refusal:
        _refuse(run, step, refusal)
        return False
    if step._state.adding:
        step.state = StepState.WAITING
        step.approval_id = request.pk
        insert(step)
    else:
        Step.objects.move(
            step.pk,
            StepState.WAITING,
            approval_id=request.pk,
            state_token=ask.state_token,
            **({} if ask.noted is None else {"request": ask.noted}),
        )
    return True


def _refuse(run: Run, step: Step, refusal: NobodyCouldDecide) -> None:
    Step.objects.move(
        step.pk,
        StepState.REFUSED,
        problem=refusal.code,
        finished_at=database_now(),
        output=refusal_message("denied", refusal.code, refusal.detail),
    )
    if step.locks:
        release_locks(run, step)
    tell(
        run,
        "action.denied",
        action=action_ref(step, Risk((step.judgement or {})["action"]["risk"])),
        facts={"step": step.seq, "why": refusal.code},
        outcome=Outcome(decision="deny", reason_code=refusal.code),
    )

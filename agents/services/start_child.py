"""Start the run of another agent that a call delegates to: the run, and the step that waits for it, at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.db.models import F

from agents import registry, spans
from agents.agent_limits import AgentLimits, budget_in_force
from agents.definitions import Agent
from agents.delegation import Delegation
from agents.errors import BudgetSpent, InvalidInput
from agents.events import action_ref, announce, tell
from agents.holding import held_for_now, is_held
from agents.models import HostedAgent, Run, Step
from agents.queues import RUNS, wake_on_commit
from agents.services.admit import may_go_on, use_leave
from agents.services.claim import Lease, fenced
from agents.services.dispatch import Lapsed, Reopened, StepMoved
from agents.services.spent_budget import refuse_where_spent
from agents.services.start_run import normalised_input, title_for
from agents.simulation_errors import InEarnest
from agents.states import StepState
from agents.tools import Tool
from approvals.vocabulary import Risk
from audit.actors import Actor
from audit.canonical import MalformedJson, canonical_bytes, loads_strict, sha256_hex
from audit.clock import database_now
from audit.fault_points import reached


@dataclass(frozen=True)
class Unfit:
    """No run can be started for this call; `message` is for the model to read."""

    code: str
    message: str


def start_child(
    lease: Lease, step: Step, tool: Tool, agent: Agent, *, deepest: int
) -> Run | Unfit | Lapsed | Reopened:
    """Spend the approval (or the gate's allowance) and start the run, in one transaction: neither a crash nor
    another worker starts a second one. `deepest`: the depth at which runs below this one may stand.

    Unfit and Lapsed have changed nothing but the request. Raises a Refusal, with nothing changed, when it may
    not be started now: CallStopped, NotConsumable, StepMoved.
    """
    reached("child.starting")
    with fenced(lease, with_switches=True) as run:
        if run.simulated:
            raise InEarnest("start another run")
        if not may_go_on(run, tool, agent):
            return Reopened()
        given = cast(Delegation, tool.parse(step.arguments or {}))
        found = _able(given)
        if isinstance(found, Unfit):
            return found
        held_up = use_leave(step, tool, agent)
        if held_up is not None:
            return held_up
        child = _insert(run, step, *found, deepest=deepest)
        waiting = Step.objects.filter(pk=step.pk, state__in=(StepState.PROPOSED, StepState.WAITING))
        asked = {**(step.request or {}), "child": str(child.pk)}
        if not waiting.update(
            state=StepState.WAITING, resolution=None, request=asked, stopped=False
        ):
            raise StepMoved
        Run.objects.change(run.pk, version=F("version") + 1)
        announce(run, "stepped")
        reached("child.before_commit")
        return child


def _able(given: Delegation) -> tuple[HostedAgent, Agent, dict[str, Any]] | Unfit:
    """The agent as it is hosted and declared, and its input; or why it cannot start.

    No switch is set before the transaction ends.
    """
    hosted = (
        HostedAgent.objects.select_related("active_version", "owner_group")
        .annotate(held=held_for_now("pk"))
        .filter(slug=given.agent)
        .first()
    )
    declared = registry.find(given.agent)
    if hosted is None or declared is None:
        return Unfit("agent_unknown", f"There is no agent {given.agent} any more.")
    if is_held(hosted):
        return Unfit("agent_disabled", f"The agent {given.agent} is switched off.")
    if hosted.active_version is None or hosted.active_version.digest != declared.version:
        message = f"The agent {given.agent} has no activated version now."
        return Unfit("agent_not_active", message)
    try:
        refuse_where_spent(hosted)
    except BudgetSpent as refusal:
        return Unfit(refusal.code, refusal.detail)
    try:
        return hosted, declared, _input(declared, given.task)
    except InvalidInput as refusal:
        return Unfit("input_invalid", f"The task does not fit {given.agent}: {refusal.detail}")


def _input(declared: Agent, task: str) -> dict[str, Any]:
    """The input that the task is: an object where it is one as JSON and the agent takes that, else the text."""
    try:
        read = loads_strict(task) if task.lstrip().startswith("{") else None
    except MalformedJson:
        read = None
    if isinstance(read, dict):
        try:
            return normalised_input(declared, read)
        except InvalidInput as refusal:
            return _as_text(declared, task, refusal)
    return normalised_input(declared, task)


def _as_text(declared: Agent, task: str, refusal: InvalidInput) -> dict[str, Any]:
    """A text that merely looks like an object; where it is not taken either, the object's errors say more."""
    try:
        return normalised_input(declared, task)
    except InvalidInput:
        raise refusal from None


def _insert(
    run: Run,
    step: Step,
    hosted: HostedAgent,
    declared: Agent,
    given: dict[str, Any],
    *,
    deepest: int,
) -> Run:
    """The child has its parent's first initiator and taint, and stands under its parent's agent."""
    assert hosted.active_version is not None, "looked at before anything is written"
    depth = run.depth + 1
    allowed = budget_in_force(declared, AgentLimits.load(hosted.limits))
    child = Run.objects.create(
        agent=hosted,
        agent_version=hosted.active_version,
        initiator=run.initiator,
        input=given,
        input_digest=sha256_hex(canonical_bytes(given)),
        title=title_for(given),
        parent=run,
        delegated_by=step,
        depth=depth,
        deepest=min(deepest, depth + allowed.depth),
        under=list(dict.fromkeys([*run.under, run.agent_id])),
        tainted=run.tainted,
        tainted_by=run.tainted_by,
        created_at=database_now(),
    )
    spans.delegated(child, hosted, run)
    by = Actor.agent(run.agent.slug)
    tell(child, "run.started", actor=by, facts={"parent": run.pk, "depth": depth})
    tell(
        run,
        "run.delegated",
        action=action_ref(step, Risk.LOW),
        facts={"step": step.seq, "child": child.pk, "to": hosted.slug},
    )
    wake_on_commit(child.pk, child.wake_seq, RUNS)
    announce(child, "started", version=child.version)
    return child

"""Fork a run: a simulated run that begins with the steps of another, and goes on with other words, models or code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.callers import Caller
from agents.endpoints import endpoint_of
from agents.errors import IdempotencyKeyReused, UnknownRun, UnknownVersion
from agents.events import tell
from agents.fork_points import ForkPoint, fork_points, usual_point
from agents.models import AgentVersion, Run, Simulation, Step
from agents.prices import price_of
from agents.rebuilding import version_at
from agents.services.copy_steps import copy_steps
from agents.services.keep_variant import keep_variant
from agents.services.look_at import look_at
from agents.services.start_run import INPUT
from agents.services.start_simulated import (
    begin_simulation,
    check_version,
    let_begin,
    may_simulate,
)
from agents.simulation_errors import ForkHidden, ForkInvalid, NoForkPoint
from agents.states import SETTLED, StepKind, Unanswered
from agents.step_context import mask_of
from agents.storable import storable
from agents.tools import Trust
from approvals.eligibility import reads_sensitive
from audit.clock import database_now

LONGEST_INSTRUCTIONS: Final = 100_000
LONGEST_MODEL: Final = 200
MOST_FORKS_DEEP: Final = 20


@dataclass(frozen=True)
class Wish:
    """What is to be other in a fork; None is as in the run. `step`: how many steps it keeps, 0 for none. `version`:
    the digest of a version of the agent; `model` takes the place of all its models."""

    step: int | None = None
    version: str | None = None
    model: str | None = None
    instructions: str | None = None


def fork_run(
    *, run_id: UUID, wish: Wish, caller: Caller, idempotency_key: str | None = None
) -> tuple[Run, bool]:
    """Start the fork and return it, and whether it is new: the same key of the same person gives the first again.

    Its calls are answered from the journals of the runs that it comes from, where they made the same call, and else
    simulated. Raises UnknownRun, a Forbidden (ForkHidden among them), NoForkPoint, ForkInvalid, UnknownVersion,
    VersionNotThere, AgentDisabled, EverythingStopped, BudgetSpent, IdempotencyKeyReused.
    """
    try:
        with transaction.atomic():
            return _fork(run_id, wish, caller, idempotency_key)
    except IntegrityError:
        # Two requests with one key met; the first one is there now.
        with transaction.atomic():
            return _fork(run_id, wish, caller, idempotency_key)


def may_fork(run: Run, caller: Caller) -> bool:
    """Whether the caller, who sees the run, may start agents like its own, or belongs to those who own it."""
    owns = run.agent.owner_group_id in caller.own_group_ids and caller.holds("decide_requests")
    return owns or caller.holds("start_runs")


def _fork(run_id: UUID, wish: Wish, caller: Caller, key: str | None) -> tuple[Run, bool]:
    named = ("agent__owner_group", "agent_version")
    run = Run.objects.visible_for(caller).select_related(*named).filter(pk=run_id).first()
    if run is None:
        raise UnknownRun
    caller.require(None if may_fork(run, caller) else "start_runs", scope="run")
    hosted, installed = may_simulate(run.agent.slug)
    if run.undoes_id is not None:
        raise NoForkPoint([])
    steps = list(Step.objects.filter(run=run).in_order())
    point = _point(steps, wish.step)
    kept = [step for step in steps if step.seq <= point.step]
    line = _line(run, caller)
    _refuse_hidden(run, line, steps, caller)
    base = _base(run, wish)
    check_version(installed, base)
    now = database_now()
    version = keep_variant(base, **_changes(wish, now))
    present = _present(caller, key, run, point, version)
    if present is not None:
        return present, False
    fork = Run(
        agent=hosted,
        agent_version=version,
        initiator=caller.user,
        idempotency_key=key,
        input=run.input,
        input_digest=run.input_digest,
        title=run.title,
        goal=_goal(kept),
        simulated=True,
        forked_from=run,
        fork_step=point.step,
        under=run.under,
        created_at=now,
        **_taint(run, steps, kept),
    )
    fork.save(force_insert=True)
    copy_steps(run.pk, fork.pk, until=point.step)
    last = steps[-1].seq if steps else 0
    Simulation.objects.create(
        run=fork,
        sources=[
            {"run": str(each.pk), "until": last if each is run else _newest(each)} for each in line
        ],
        unanswered=Unanswered.SIMULATE,
    )
    marker = begin_simulation(
        fork,
        point.step + 1,
        {
            "run": str(run.pk),
            "step": point.step,
            "other_version": wish.version is not None and base.pk != run.agent_version_id,
            "other_model": wish.model,
            "other_instructions": version.definition["instructions"]
            != base.definition["instructions"],
        },
    )
    was = version_at(steps, point.step + 1, run.agent_version.digest)
    if was != version.digest:
        Step.objects.filter(pk=marker.pk).update(output={"was": was})
    facts = {"forked_from": run.pk, "fork_step": point.step}
    tell(fork, "run.started", actor=caller.actor, facts=facts)
    tell(run, "run.forked", actor=caller.actor, facts={"fork": fork.pk, "fork_step": point.step})
    look_at(run, caller)
    let_begin(fork)
    return fork, True


def _point(steps: Sequence[Step], step: int | None) -> ForkPoint:
    points = fork_points(steps)
    if step is None:
        return usual_point(points)
    point = next((each for each in points if each.step == step), None)
    if point is None:
        raise NoForkPoint([each.step for each in points])
    return point


def _line(run: Run, caller: Caller) -> list[Run]:
    """The run, what it is a fork of, and so on, as far as the caller may see them."""
    line = [run]
    while line[-1].forked_from_id is not None and len(line) < MOST_FORKS_DEEP:
        above = (
            Run.objects.visible_for(caller)
            .select_related("agent__owner_group", "agent_version")
            .filter(pk=line[-1].forked_from_id)
            .first()
        )
        if above is None:
            break
        line.append(above)
    return line


def _refuse_hidden(run: Run, line: Sequence[Run], steps: Sequence[Step], caller: Caller) -> None:
    """Raise ForkHidden where the journals hold what the caller may not see: with words of their own they could
    have a model say it, and a score by asking again for what it is of, from however early a step."""
    for each in line:
        known = steps if each is run else list(Step.objects.filter(run=each).in_order())
        mask = mask_of(each, known, caller)
        hidden = mask.withheld or mask.fields or mask.replies
        if hidden and not reads_sensitive(caller):
            raise ForkHidden("sensitive")
        if mask.scored or mask.unplaced or mask.decided:
            raise ForkHidden("score")


def _base(run: Run, wish: Wish) -> AgentVersion:
    if wish.version is None:
        return run.agent_version
    version = AgentVersion.objects.filter(slug=run.agent.slug, digest=wish.version).first()
    if version is None:
        raise UnknownVersion(run.agent.slug, wish.version)
    return version


def _changes(wish: Wish, now: datetime) -> dict[str, Any]:
    """What is to be other than in the version. Raises ForkInvalid."""
    changes: dict[str, Any] = {}
    if wish.instructions is not None:
        text = wish.instructions.strip()
        if not text:
            raise ForkInvalid("instructions", "empty")
        if len(text) > LONGEST_INSTRUCTIONS:
            raise ForkInvalid("instructions", "long")
        if storable(text) != text:
            raise ForkInvalid("instructions", "unfit")
        changes["instructions"] = text
    if wish.model is not None:
        model = wish.model.strip()
        if not model or len(model) > LONGEST_MODEL or storable(model) != model:
            raise ForkInvalid("model", "empty")
        if price_of(endpoint_of(model).name, now) is None:
            raise ForkInvalid("model", "unpriced")
        changes["model"] = model
    return changes


def _present(
    caller: Caller, key: str | None, run: Run, point: ForkPoint, version: AgentVersion
) -> Run | None:
    if key is None:
        return None
    found = Run.objects.filter(initiator=caller.user, idempotency_key=key).first()
    if found is None:
        return None
    if (found.forked_from_id, found.fork_step, found.agent_version_id) != (
        run.pk,
        point.step,
        version.pk,
    ):
        raise IdempotencyKeyReused
    return found


def _goal(kept: Sequence[Step]) -> str:
    """The task as a person had changed it by then; empty where nobody had."""
    changed = [step for step in kept if step.kind == StepKind.GOAL]
    return str((changed[-1].request or {}).get("text") or "") if changed else ""


def _taint(run: Run, steps: Sequence[Step], kept: Sequence[Step]) -> dict[str, Any]:
    """What of the run's taint is there already; whatever did not surely come later is."""
    before = {name for step in kept for name in _tainting(step)}
    later = {name for step in steps[len(kept) :] for name in _tainting(step)} - before
    names = [name for name in run.tainted_by if name == INPUT or name not in later]
    return {"tainted": bool(names), "tainted_by": names}


def _tainting(step: Step) -> list[str]:
    output = step.output or {}
    if step.state not in SETTLED or not isinstance(output, dict):
        return []
    names = [step.name] if output.get("trust") == Trust.UNTRUSTED else []
    return [*names, *([str(output["taints"])] if output.get("taints") else [])]


def _newest(run: Run) -> int:
    newest = Step.objects.filter(run=run).order_by("-seq").values_list("seq", flat=True).first()
    return newest or 0

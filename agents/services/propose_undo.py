"""Propose the undo that a person asked for, as a step of the run, judged like any other call."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from pydantic import ValidationError

from agents.context import refusal_message
from agents.definitions import Agent
from agents.events import announce
from agents.journal import Journal
from agents.models import EffectRecord, Run, Step
from agents.services.claim import Lease, fenced
from agents.services.dispatch import NOTHING_TO_UNDO, still_stands
from agents.services.judge_call import judge_call
from agents.states import StepKind, StepState
from agents.tools import Tool
from agents.undoing import PREFIX
from approvals.schemas import Confidence
from approvals.services.policies import current
from audit.actors import Actor
from audit.clock import database_now


def propose_undos(lease: Lease, run: Run, agent: Agent, journal: Journal) -> bool:
    """Journal the undos that were asked for since; True when there was one.

    Untouched while a model call is being made again: its journal ends with that call.
    """
    if journal.begun_model_call is not None:
        return False
    wishes = wished(run, agent, journal)
    if not wishes:
        return False
    with fenced(lease) as fresh:
        seq = journal.next_seq
        for effect in wishes:
            # Taken by conditional update: what is proposed is not wished for any more.
            taken = EffectRecord.objects.filter(pk=effect.pk, undo_asked__isnull=False)
            if taken.update(undo_asked=None):
                _propose(fresh, lease, agent, journal, effect, seq)
                seq += 1
        Run.objects.filter(pk=fresh.pk).update(version=F("version") + 1)
        announce(fresh, "stepped")
    return True


def wished(run: Run, agent: Agent, journal: Journal) -> list[EffectRecord]:
    """The effects of the run that somebody asked to have undone, which was not proposed yet."""
    wishes = EffectRecord.objects.filter(undo_asked__isnull=False).select_related("step")
    if run.undoes_id is not None:
        return list(wishes.filter(pk=run.undoes_id))
    # Most agents have nothing that could be undone; they are not asked for it at every step.
    if not any(
        step.state == StepState.SUCCEEDED and f"{PREFIX}{step.name}" in agent.undos
        for step in journal.steps
    ):
        return []
    return list(wishes.filter(run=run).order_by("id"))


def _propose(
    run: Run, lease: Lease, agent: Agent, journal: Journal, effect: EffectRecord, seq: int
) -> None:
    now, done = database_now(), effect.step
    asked = {**(effect.undo_asked or {}), "call_id": done.call_id, "tool": done.name}
    row = Step(
        run=run,
        seq=seq,
        kind=StepKind.TOOL,
        name=f"{PREFIX}{done.name}"[:64],
        state=StepState.PROPOSED,
        undoes=effect,
        arguments=done.arguments,
        request={"undo": asked},
        epoch=lease.epoch,
        started_at=now,
    )
    tool = agent.tool(row.name)
    arguments = _read(tool, row)
    if not still_stands(effect.pk):
        row.state, row.problem, row.finished_at = StepState.FAILED, "did_not_happen", now
        row.output = refusal_message("failed", "did_not_happen", NOTHING_TO_UNDO)
    elif tool is None or arguments is None:
        row.state, row.problem, row.finished_at = StepState.FAILED, "tool_changed", now
        row.output = refusal_message("failed", "tool_changed", "The tool cannot undo it any more.")
    else:
        actor = Actor.person(asked["by"], "none")
        row.arguments = arguments
        earlier = journal.tools_called()
        # No model proposes it, so there is no score of it.
        judge_call(row, agent, run, tool, Confidence(), current(), earlier, now, actor=actor)
    row.save(force_insert=True)


def _read(tool: Tool | None, row: Step) -> dict[str, Any] | None:
    """The arguments as the tool takes them now; None when it does not."""
    if tool is None:
        return None
    try:
        return tool.parse(row.arguments or {}).model_dump(mode="json")
    except ValidationError:
        return None

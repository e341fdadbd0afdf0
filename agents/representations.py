"""Runs, steps and agents as programs and pages read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.callers import Caller
from agents import registry
from agents.done import Done, output_with
from agents.journal import ACTIONS, has_child
from agents.journal_schemas import CONTEXT
from agents.masking import NOT_SHOWN, Mask
from agents.models import EffectRecord, HostedAgent, Run, RunMessage, Step
from agents.queueing import in_line
from agents.states import StepKind, StepState
from agents.switchboard import Switchboard, halt_as_json, halts_of
from agents.tool_health import health_of
from approvals.schemas import Confidence
from approvals.score_words import scores_as_json


def run_as_json(
    run: Run,
    waiting_on: Sequence[dict[str, Any]] = (),
    done: Sequence[Done] = (),
    *,
    children: int = 0,
) -> dict[str, Any]:
    """A run. Spans in seconds, costs in millionths of the currency unit. `done`: its effects, which stand
    in the output beside what the agent says; `children`: how many runs it handed work to."""
    return {
        "id": str(run.pk),
        "agent": run.agent.slug,
        "agent_version": run.agent_version.digest,
        "title": run.title,
        "input": run.input,
        "state": run.state,
        "outcome": run.outcome or None,
        "failure": run.failure,
        "waiting_on": list(waiting_on),
        "goal": run.goal or None,
        "paused": run.paused_at is not None,
        "taken_over_by": run.taken_over_by.username if run.taken_over_by else None,
        "cancel_requested": run.cancel_requested_at is not None,
        "tainted": run.tainted,
        "tainted_by": run.tainted_by,
        "usage": {
            "steps": run.step_count,
            "model_calls": run.model_calls,
            "tool_calls": run.tool_calls,
            "tokens_in": run.shown_tokens_in,
            "tokens_out": run.shown_tokens_out,
            "cost_micros": run.shown_cost_micros,
            "unpriced_calls": run.unpriced_calls,
            "waited_seconds": round(run.waited_seconds, 3),
            "active_seconds": round(run.active_seconds, 3),
        },
        "output": output_with(run, done),
        "initiator": run.initiator.username,
        "parent": str(run.parent_id) if run.parent_id else None,
        "depth": run.depth,
        "children": children,
        "undoes": str(run.undoes_id) if run.undoes_id else None,
        "simulated": run.simulated,
        "forked_from": str(run.forked_from_id) if run.forked_from_id else None,
        "fork_step": run.fork_step,
        "version": run.version,
        "created_at": _moment(run.created_at),
        "started_at": _moment(run.started_at),
        "finished_at": _moment(run.finished_at),
    }


def message_as_json(message: RunMessage) -> dict[str, Any]:
    """What a person said to a run; `journalled_at` is when its worker took it up."""
    return {
        "id": str(message.pk),
        "run": str(message.run_id),
        "kind": message.kind,
        "text": message.text,
        "by": message.author.username,
        "sent_at": _moment(message.sent_at),
        "journalled_at": _moment(message.journalled_at),
    }


def waiting_on(runs: Sequence[Run], caller: Caller) -> dict[UUID, list[dict[str, Any]]]:
    """What each run waits for, by run id: requests, runs that it handed work to, resources that other calls
    work on, kill switches."""
    asked = Q(approval_id__isnull=False) | Q(kind=StepKind.DELEGATE)
    rows = Step.objects.filter(asked, run__in=runs, state=StepState.WAITING)
    grouped: dict[UUID, list[dict[str, Any]]] = {}
    for step in rows.order_by("seq"):
        if has_child(step):
            line = {"approval": None, "kind": "run", "name": step.name, "step": step.seq}
            line["run"] = (step.request or {})["child"]
            grouped.setdefault(step.run_id, []).append(line)
            continue
        grouped.setdefault(step.run_id, []).append(
            {
                "approval": str(step.approval_id),
                "kind": _asks_for(step),
                "name": step.name,
                "step": step.seq,
            }
        )
    for run_id, lines in in_line(runs, caller).items():
        grouped.setdefault(run_id, []).extend(line.as_json() for line in lines)
    for run_id, halts in halts_of(runs).items():
        grouped.setdefault(run_id, []).extend(halt_as_json(halt) for halt in halts)
    return grouped


def _asks_for(step: Step) -> str:
    return "action" if step.kind in ACTIONS else step.kind


def step_as_json(
    step: Step, mask: Mask, *, sent: Mapping[int, Any] | None = None
) -> dict[str, Any]:
    """A step with its raw request and response, as far as the mask's reader may see them.

    `sent` are the whole requests to models by seq; a journal holds only what is new in each.
    """
    step = mask.cleared(step)
    secret = mask.hides_confidence(step)
    covered = mask.covers(step.seq)
    judgement = step.judgement or {}
    hides_request = mask.hides_request(step.seq) if step.kind == StepKind.MODEL else ""
    hides_response = mask.hides_reply(step.seq) or (NOT_SHOWN if covered else "")
    hides_score = mask.hides_score(step.seq) if step.kind == StepKind.SCORE else ""
    confidence = None if secret or not judgement else judgement.get("confidence")
    return {
        "seq": step.seq,
        "kind": step.kind,
        "name": step.name,
        "state": step.state,
        "problem": step.problem or None,
        "call_id": step.call_id or None,
        "arguments": step.arguments and mask.arguments(step.seq, step.arguments),
        "confidence": None if secret or step.confidence_bp is None else step.confidence_bp / 10_000,
        "scores": confidence
        and scores_as_json(Confidence.model_validate(confidence), objections=not covered),
        "rationale": (NOT_SHOWN if covered else step.rationale) or None,
        "verdict": None if secret else (judgement.get("verdict") or None),
        "approval": str(step.approval_id) if step.approval_id else None,
        "request": hides_request
        or hides_score
        or mask.withheld.content((sent or {}).get(step.seq, step.request)),
        "context": _context_of(step),
        "response": hides_score or (step.response and (hides_response or step.response)),
        "output": hides_score or (step.output and (NOT_SHOWN if covered else step.output)),
        "locks": [NOT_SHOWN for _ in step.locks] if covered else step.locks,
        "attempts": [] if hides_score else step.attempts,
        "model": None if hides_score else (step.model or None),
        "tokens_in": None if hides_score else step.tokens_in,
        "tokens_out": None if hides_score else step.tokens_out,
        "cost_micros": None if hides_score else step.cost_micros,
        "input_digest": None if covered else (step.input_digest or None),
        "started_at": _moment(step.started_at),
        "finished_at": _moment(step.finished_at),
    }


def _context_of(step: Step) -> Any:
    """What a request to a model did not hold whole: numbers of steps, and of tokens."""
    told = step.kind == StepKind.MODEL and isinstance(step.request, dict)
    return (step.request or {}).get(CONTEXT) if told else None


def effect_as_json(effect: EffectRecord | None, mask: Mask) -> dict[str, Any] | None:
    """What a step did in the world; `undo` is `asked`, `undone` or null."""
    if effect is None:
        return None
    return {
        "id": str(effect.pk),
        "state": effect.state,
        "idempotency_key": effect.idempotency_key,
        "reference": mask.withheld.text(effect.reference) or None,
        "undo": vars(effect).get("undo") or None,
    }


def agent_as_json(hosted: HostedAgent, now: datetime, board: Switchboard) -> dict[str, Any]:
    """An agent with its tools and how they are, and inputs that a newcomer can start a run with."""
    declared = registry.find(hosted.slug)
    own, halt = board.own(hosted.pk), board.over_agent(hosted.pk)
    health = health_of(declared.tools, now) if declared else {}
    tools = [
        {**tool, "health": health[tool["name"]].as_json()}
        for tool in (declared.definition["tools"] if declared else [])
    ]
    return {
        "slug": hosted.slug,
        "title": hosted.title,
        "category": hosted.category,
        "owner": hosted.owner_group.slug,
        "active_version": hosted.active_version.digest if hosted.active_version else None,
        "installed_version": declared.version if declared else None,
        "disabled": own is not None,
        "disabled_reason": own.reason if own else None,
        "held_by": str(halt.pk) if halt else None,
        "tools_off": sorted({each.tool for each in board.over_tools(hosted.pk)}),
        "tools": tools,
        "examples": [
            {"title": example.title, "input": example.input}
            for example in (declared.examples if declared else ())
        ],
    }


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None

"""Runs over REST: translate, one domain call, translate back."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from time import monotonic
from typing import Annotated, Any, Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.api_shapes import Body, ReasonIn
from agents.conversations import read_requests
from agents.done import done_by
from agents.errors import UnknownRun
from agents.kin import children_counts, may_delegate
from agents.models import Run, Step
from agents.representations import (
    effect_as_json,
    message_as_json,
    run_as_json,
    step_as_json,
    waiting_on,
)
from agents.services.ask_undo import ask_undo
from agents.services.change_goal import change_goal
from agents.services.control import cancel_run, pause_run, resume_run
from agents.services.look_at import look_at
from agents.services.message_run import message_run
from agents.services.say import LONGEST_TEXT
from agents.services.start_run import start_run
from agents.services.take_over import take_over
from agents.simulation import source_of
from agents.spending import spending_of_tree
from agents.states import ENDED, RunState, StepKind
from agents.step_context import effects_of, mask_of
from agents.withheld import NOTHING, cleared, withheld_from
from audit.paging import page

router = Router()

LONGEST_WAIT_SECONDS = 60
LOOK_EVERY_SECONDS = 0.25
#: What the JSON of a run names.
NAMED = ("agent", "agent_version", "initiator", "taken_over_by")


class StartIn(Body):
    """A run to start. The same key of the same person gives the first run again."""

    agent: Annotated[str, Field(max_length=63)]
    input: Any
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class TextIn(Body):
    """What is said to a run."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]


class RunList(Schema):
    items: list[dict[str, Any]]
    next_cursor: str | None


class StepList(Schema):
    items: list[dict[str, Any]]
    next_cursor: str | None


def visible_to_caller(caller: Caller, run_id: UUID) -> Run:
    """The run with what its JSON names. Raises UnknownRun, or a Forbidden."""
    caller.require(None, scope="read")
    return _visible(caller, run_id)


def changed_run(caller: Caller, run_id: UUID) -> dict[str, Any]:
    """The run after a change of it, whose scope was enough: the change stands, and is not answered like a
    refusal."""
    return run_shown(_visible(caller, run_id), caller)


def _visible(caller: Caller, run_id: UUID) -> Run:
    run = Run.objects.visible_for(caller).select_related(*NAMED).filter(pk=run_id).first()
    if run is None:
        raise UnknownRun
    return run


def run_shown(run: Run, caller: Caller) -> dict[str, Any]:
    """The run as the caller may see it."""
    withheld = look_at(run, caller)
    run = cleared(run, withheld)
    done = done_by([run] if run.ended else [], caller, {run.pk: withheld})
    shown = run_as_json(
        run,
        waiting_on([run], caller).get(run.pk, ()),
        done.get(run.pk, ()),
        children=children_counts([run]).get(run.pk, 0),
    )
    tree = spending_of_tree(run) if may_delegate(run) else None
    return {**shown, "tree": asdict(tree) if tree else None}


@router.post(
    "runs",
    response={201: dict[str, Any], 200: dict[str, Any]},
    tags=["runs"],
    summary="Start a run",
)
def create_run(request: HttpRequest, body: StartIn) -> Status[dict[str, Any]]:
    """201 with the new run; 200 with the first one when the idempotency key was used before."""
    caller = signed_in(request)
    run, new = start_run(
        agent=body.agent, input=body.input, caller=caller, idempotency_key=body.idempotency_key
    )
    return Status(
        201 if new else 200,
        run_shown(Run.objects.select_related(*NAMED).get(pk=run.pk), caller),
    )


@router.get("runs", response=RunList, tags=["runs"], summary="List runs")
def list_runs(
    request: HttpRequest,
    state: RunState | None = None,
    agent: str | None = None,
    simulated: Literal["only", "without"] | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Newest first, those that the caller may see; of simulated ones all, those alone, or none."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    rows = Run.objects.visible_for(caller).select_related(*NAMED)
    if state is not None:
        rows = rows.filter(state=state)
    if agent is not None:
        rows = rows.filter(agent__slug=agent)
    if simulated is not None:
        rows = rows.filter(simulated=simulated == "only")
    found = page(rows, order=("-created_at", "-id"), cursor=cursor, limit=limit)
    waits = waiting_on(found.items, caller)
    children = children_counts(found.items)
    withheld = withheld_from(found.items, caller)
    done = done_by([run for run in found.items if run.ended], caller, withheld)
    return {
        "items": [
            run_as_json(
                cleared(run, withheld.get(run.pk, NOTHING)),
                waits.get(run.pk, ()),
                done.get(run.pk, ()),
                children=children.get(run.pk, 0),
            )
            for run in found.items
        ],
        "next_cursor": found.next_cursor,
    }


@router.get("runs/{uuid:run_id}", response=dict[str, Any], tags=["runs"], summary="One run")
async def read_run(
    request: HttpRequest,
    run_id: UUID,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)] = 0,
) -> dict[str, Any]:
    """The run now; with `wait` (seconds), once its state changes or the time is up."""
    caller = await sync_to_async(signed_in)(request)
    run = await sync_to_async(visible_to_caller)(caller, run_id)
    before, ends = run.state, monotonic() + wait
    while run.state == before and run.state not in ENDED and monotonic() < ends:
        await asyncio.sleep(min(LOOK_EVERY_SECONDS, max(0.0, ends - monotonic())))
        run = await sync_to_async(visible_to_caller)(caller, run_id)
    return await sync_to_async(run_shown)(run, caller)


@router.get("runs/{uuid:run_id}/steps", response=StepList, tags=["runs"], summary="Its journal")
def list_steps(
    request: HttpRequest, run_id: UUID, cursor: str | None = None, limit: int = 100
) -> dict[str, Any]:
    """The steps in order, with raw requests and responses, as far as the caller may see them."""
    caller = signed_in(request)
    run = visible_to_caller(caller, run_id)
    look_at(run, caller)
    rows = Step.objects.filter(run=run)
    found = page(rows, order=("seq",), cursor=cursor, limit=limit)
    # Whatever page is asked for, the whole journal says what has to be hidden in it.
    mask = mask_of(run, list(rows.defer("request", "output", "attempts").in_order()), caller)
    effects = {effect.step_id: effect for effect in effects_of(run)}
    sent = read_requests(run, [step.seq for step in found.items if step.kind == StepKind.MODEL])
    return {
        "items": [
            {
                **step_as_json(step, mask, sent=sent),
                "copied": run.is_copied(step.seq),
                "simulated": source_of(step).get("from"),
                "effect": effect_as_json(effects.get(step.pk), mask),
            }
            for step in found.items
        ],
        "next_cursor": found.next_cursor,
    }


@router.post(
    "runs/{uuid:run_id}/cancel", response=dict[str, Any], tags=["runs"], summary="Cancel it"
)
def post_cancel(request: HttpRequest, run_id: UUID, body: ReasonIn | None = None) -> dict[str, Any]:
    """At once when parked, at the next safe point when at work."""
    reason = body.reason if body else ""
    caller = signed_in(request)
    cancel_run(run_id=run_id, reason=reason, caller=caller)
    return changed_run(caller, run_id)


@router.post("runs/{uuid:run_id}/pause", response=dict[str, Any], tags=["runs"], summary="Pause it")
def post_pause(request: HttpRequest, run_id: UUID, body: ReasonIn | None = None) -> dict[str, Any]:
    """Decisions still land; no worker takes the run up."""
    reason = body.reason if body else ""
    caller = signed_in(request)
    pause_run(run_id=run_id, reason=reason, caller=caller)
    return changed_run(caller, run_id)


@router.post(
    "runs/{uuid:run_id}/resume", response=dict[str, Any], tags=["runs"], summary="Resume it"
)
def post_resume(request: HttpRequest, run_id: UUID) -> dict[str, Any]:
    """Let workers take the run up again."""
    caller = signed_in(request)
    resume_run(run_id=run_id, caller=caller)
    return changed_run(caller, run_id)


@router.post(
    "runs/{uuid:run_id}/messages",
    response={201: dict[str, Any]},
    tags=["runs"],
    summary="Tell it something",
)
def post_message(request: HttpRequest, run_id: UUID, body: TextIn) -> Status[dict[str, Any]]:
    """The model reads it with its next call; a parked run keeps waiting for its requests."""
    message = message_run(run_id=run_id, text=body.text, caller=signed_in(request))
    return Status(201, message_as_json(message))


@router.post(
    "runs/{uuid:run_id}/goal", response=dict[str, Any], tags=["runs"], summary="Change its task"
)
def post_goal(request: HttpRequest, run_id: UUID, body: TextIn) -> dict[str, Any]:
    """Its open requests are superseded; nothing that it proposed for the old task runs any more."""
    caller = signed_in(request)
    change_goal(run_id=run_id, text=body.text, caller=caller)
    return changed_run(caller, run_id)


@router.post(
    "runs/{uuid:run_id}/take-over", response=dict[str, Any], tags=["runs"], summary="Take it over"
)
def post_take_over(
    request: HttpRequest, run_id: UUID, body: ReasonIn | None = None
) -> dict[str, Any]:
    """It stands still until its request of kind `hand_back` is decided with `return`."""
    caller = signed_in(request)
    take_over(run_id=run_id, reason=body.reason if body else "", caller=caller)
    return changed_run(caller, run_id)


@router.post(
    "runs/{uuid:run_id}/effects/{uuid:effect_id}/undo",
    response={200: dict[str, Any], 201: dict[str, Any]},
    tags=["runs"],
    summary="Have an effect undone",
)
def post_undo(
    request: HttpRequest, run_id: UUID, effect_id: UUID, body: ReasonIn | None = None
) -> Status[dict[str, Any]]:
    """200 with its run, which proposes the undo at its next safe point; 201 with a new one if it ended."""
    caller = signed_in(request)
    reason = body.reason if body else ""
    run = ask_undo(run_id=run_id, effect_id=effect_id, reason=reason, caller=caller)
    return Status(200 if run.pk == run_id else 201, changed_run(caller, run.pk))

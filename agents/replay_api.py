"""Replays over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema, Status
from pydantic import Field

from accounts.doors import signed_in
from agents.api import changed_run, visible_to_caller
from agents.api_shapes import Body
from agents.replay import replay_for
from agents.replayed import Against, Replay, Result
from agents.services.fork_run import LONGEST_INSTRUCTIONS, LONGEST_MODEL, Wish, fork_run
from agents.services.look_at import look_at

router = Router()

MOST_STEPS = 200


class ReplayOut(Schema):
    """`items` are steps in order. `same`: everything on this page that was made anew is as it was."""

    run: str
    against: Against
    agent_version: str
    installed_version: str | None
    same: bool
    counts: dict[str, int]
    items: list[dict[str, Any]]
    next_cursor: str | None


@router.get(
    "runs/{uuid:run_id}/replay", response=ReplayOut, tags=["runs"], summary="Replay its journal"
)
def read_replay(
    request: HttpRequest,
    run_id: UUID,
    version: Against | None = None,
    cursor: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_STEPS)] = 50,
) -> dict[str, Any]:
    """What was sent to models and decided by code, made anew from the journal and compared: no model is asked, no
    tool called, nothing written. With the agent as it is installed, or as it was recorded."""
    caller = signed_in(request)
    caller.require(None, scope="read")
    run = visible_to_caller(caller, run_id)
    look_at(run, caller)
    return replay_as_json(replay_for(run, caller, against=version, after=cursor, most=limit))


def replay_as_json(replayed: Replay) -> dict[str, Any]:
    """A replay as programs read it."""
    return {
        "run": str(replayed.run.pk),
        "against": replayed.against,
        "agent_version": replayed.run.agent_version.digest,
        "installed_version": replayed.installed or None,
        "same": replayed.same,
        "counts": {result.value: replayed.count(result) for result in Result},
        "items": [step.as_json() for step in replayed.steps],
        "next_cursor": None if replayed.after is None else str(replayed.after),
    }


class ForkIn(Body):
    """What is to be other in the fork. `step`: how many steps of the journal it keeps, 0 for none; the last place at
    which something was asked, where it is left out. `version`: the digest of a version of the agent; `model` takes
    the place of all its models, `endpoint/model` or one of the default endpoint."""

    step: Annotated[int, Field(ge=0, le=10**9)] | None = None
    version: Annotated[str, Field(max_length=71)] | None = None
    model: Annotated[str, Field(max_length=LONGEST_MODEL)] | None = None
    instructions: Annotated[str, Field(max_length=LONGEST_INSTRUCTIONS)] | None = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


@router.post(
    "runs/{uuid:run_id}/fork",
    response={201: dict[str, Any], 200: dict[str, Any]},
    tags=["runs"],
    summary="Fork it",
)
def post_fork(request: HttpRequest, run_id: UUID, body: ForkIn) -> Status[dict[str, Any]]:
    """A simulated run that begins with its steps: its calls are answered from the journal or simulated, and it
    reaches no tool. 201 with it; 200 with the first one when the idempotency key was used before."""
    caller = signed_in(request)
    wish = Wish(body.step, body.version, body.model, body.instructions)
    fork, new = fork_run(
        run_id=run_id, wish=wish, caller=caller, idempotency_key=body.idempotency_key
    )
    return Status(201 if new else 200, changed_run(caller, fork.pk))

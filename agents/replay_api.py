"""Replays over REST: translate, one domain call, translate back."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Schema

from accounts.callers import Caller
from accounts.doors import signed_in
from agents.errors import UnknownRun
from agents.models import Run
from agents.replay import replay_for
from agents.replayed import Against, Replay, Result
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


def visible_to_caller(caller: Caller, run_id: UUID) -> Run:
    """The run with its agent and version. Raises UnknownRun."""
    rows = Run.objects.visible_for(caller).select_related("agent__owner_group", "agent_version")
    run = rows.filter(pk=run_id).first()
    if run is None:
        raise UnknownRun
    return run


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

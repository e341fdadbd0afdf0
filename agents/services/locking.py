"""The run that a person wants to do something to, locked, if they may."""

from __future__ import annotations

from uuid import UUID

from accounts.callers import Caller
from agents.errors import RunCancelling, RunEnded, UnknownRun
from agents.models import Run
from agents.states import OPEN


def locked_for(run_id: UUID, caller: Caller) -> Run:
    """The open run, locked until the transaction ends, if the caller may see and control it.

    Operators may, and the people of the agent's owner group who decide. Raises UnknownRun, a
    Forbidden, RunEnded.
    """
    require_control(run_id, caller)
    run = (
        Run.objects.select_for_update(of=("self",), no_key=True)
        .select_related("agent", "agent_version", "taken_over_by")
        .get(pk=run_id)
    )
    if run.state not in OPEN:
        raise RunEnded(run.state)
    return run


def require_control(run_id: UUID, caller: Caller) -> None:
    """Operators may control a run that they see, and the people of its agent's owner group who decide. Raises
    UnknownRun, a Forbidden."""
    if not Run.objects.visible_to(caller.user).filter(pk=run_id).exists():
        raise UnknownRun
    owns = Run.objects.filter(pk=run_id, agent__owner_group__in=caller.own_group_ids).exists()
    if not (owns and caller.may("decide_requests", "decide")):
        caller.require("control_runs", scope="run")


def listening(run_id: UUID, caller: Caller) -> Run:
    """Like `locked_for`, for what a worker is still to hear. Raises RunCancelling too."""
    run = locked_for(run_id, caller)
    if run.cancel_requested_at is not None:
        raise RunCancelling
    return run

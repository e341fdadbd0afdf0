"""A call whose arguments a reviewer edited: what it would do, and the world that its approval is then for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from agents.definitions import Agent
from agents.gating import Subject, preview_of, read_token
from agents.models import Step
from agents.tools import Tool
from approvals.ports import Looked
from audit.clock import database_now


def look_at_edit(
    request: UUID, agent: Agent, tool: Tool | None, arguments: dict[str, Any]
) -> Looked:
    """Read the state token for the edited arguments, keep it at the request's step, and make the preview.

    The caller is deciding: it holds the run's row, and what is kept is taken back with its transaction.
    """
    assert tool is not None, "its arguments were validated"
    step = Step.objects.select_related("run__agent", "run__initiator").get(approval_id=request)
    subject, now = Subject(agent, step.run), database_now()
    # Before the preview is made: a change in between must show as one.
    token = read_token(subject, tool, arguments, now)
    if token != step.state_token:
        Step.objects.filter(pk=step.pk).update(state_token=token)
    return Looked(preview_of(subject, tool, arguments, now), elsewhere=token != step.state_token)

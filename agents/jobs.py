"""Jobs of the queue; ids only, so that they survive a deploy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from agents.services.mail_bounce import mail_bounce
from agents.services.mail_budget import mail_budget
from agents.services.mail_model import mail_model
from agents.worker_loop import advance_and_drain, nothing_waits
from audit.fault_points import reached


def advance_run(
    run_id: str, *, another_waits: Callable[[], bool] = nothing_waits, **_later: Any
) -> None:
    """Advance the run until it parks, sleeps or ends; then go on with others for a moment."""
    advance_and_drain(UUID(run_id), another_waits)
    reached("job.done")


def mail_about_bounce(effect_id: str, **_later: Any) -> int:
    """Mail those who answer for the agent; returns how many mails were sent."""
    return mail_bounce(effect_id=UUID(effect_id))


def mail_about_budget(notice_id: str, **_later: Any) -> int:
    """Mail those who answer for the agent; returns how many mails were sent."""
    return mail_budget(notice_id=UUID(notice_id))


def mail_about_model(reported_id: str, **_later: Any) -> int:
    """Mail those who own the agent; returns how many mails were sent."""
    return mail_model(reported_id=UUID(reported_id))

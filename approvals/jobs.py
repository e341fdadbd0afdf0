"""Jobs of approvals. Signatures take ids and `**_later`, so that they survive a deploy."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from approvals.services.first_mails import send_first
from approvals.services.notify import notify
from approvals.services.simulate import run_simulation
from approvals.services.tighten import tighten_open


def send_mail_about(request_id: str, occasion: str = "opened", **_later: Any) -> int:
    """Mail those who may decide the request; returns how many mails were sent."""
    # A release before this one has each new request mailed about by a job of its own.
    if occasion == "opened":
        return send_first()
    return notify(request_id=UUID(request_id), occasion=occasion)


def send_first_mails(**_later: Any) -> int:
    """Mail those who may decide about what was opened; returns how many mails were sent."""
    return send_first()


def tighten_open_requests(**_later: Any) -> int:
    """Judge what waits by the policy in force; returns how many requests became tighter."""
    return tighten_open()


def simulate(simulation_id: str, **_later: Any) -> None:
    """Judge past actions by a draft."""
    run_simulation(UUID(simulation_id))

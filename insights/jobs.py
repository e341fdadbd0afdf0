"""Jobs of the queue; ids only, so that they survive a deploy."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from insights.queues import count as count_later
from insights.services.advance import advance
from insights.services.mail_alert import mail_alert


def count(**_later: Any) -> None:
    """Gather and sum for a bounded time; where there is more to do, others have their turn before it goes on."""
    if advance():
        count_later()


def mail_about_alert(alert_id: str, **_later: Any) -> int:
    """Mail those who own the agent; returns how many mails were sent."""
    return mail_alert(alert_id=UUID(alert_id))

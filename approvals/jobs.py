"""Jobs of approvals. Signatures take ids and `**_later`, so that they survive a deploy."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from approvals.services.notify import notify


def send_mail_about(request_id: str, occasion: str = "opened", **_later: Any) -> int:
    """Mail those who may decide the request; returns how many mails were sent."""
    return notify(request_id=UUID(request_id), occasion=occasion)

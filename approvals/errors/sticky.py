"""Sticky approvals."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext

from audit.errors import Conflict, NotFound


class NotSticky(Conflict):
    """Calls like this one are decided one by one."""

    code = "not_sticky"


class StickyUnknown(NotFound):
    """No such sticky approval, or none that is still in force."""

    code = "sticky_unknown"

    def __init__(self, sticky_id: UUID) -> None:
        super().__init__(
            gettext("There is no such sticky approval in force."), params={"sticky": str(sticky_id)}
        )

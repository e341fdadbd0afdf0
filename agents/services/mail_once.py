"""Mail what is due once: a row says since when, and of two jobs for one row, one sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


def mail_once(rows: QuerySet[Row], pk: UUID, send: Callable[[Row], int]) -> int:
    """Take the row by conditional update and send its mails; returns how many, 0 where nothing is due.

    A mail error is raised, and the row is due again: the sweep finds it.
    """
    due = rows.filter(pk=pk, mail_due_at__isnull=False)
    row = due.first()
    if row is None:
        return 0
    since: Any = vars(row)["mail_due_at"]
    if not due.filter(mail_due_at=since).update(mail_due_at=None):
        return 0
    try:
        return send(row)
    except Exception:
        rows.filter(pk=pk).update(mail_due_at=since)
        raise

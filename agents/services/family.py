"""Locking a run together with the run that waits for it: parents always before their children."""

from __future__ import annotations

from uuid import UUID

from agents.models import Run
from agents.states import OPEN
from audit.statements import rows

# In the order of their depth, so that the parent's row is had first. What a run's undo runs in is no child:
# nobody waits for it.
_LOCK = """
SELECT 1 FROM agents_run
 WHERE id = %(run)s
    OR id = (SELECT parent_id FROM agents_run
              WHERE id = %(run)s AND delegated_by_id IS NOT NULL)
 ORDER BY depth, id
   FOR NO KEY UPDATE
"""


def lock_with_parent(run_id: UUID) -> None:
    """Lock the run's row, after that of the run that waits for it where there is one, until the transaction
    ends. Whoever may end a run takes this first: its parent is told in the same transaction."""
    rows(_LOCK, {"run": run_id})


def lock_row(run_id: UUID) -> None:
    """Lock one run's row until the transaction ends."""
    rows("SELECT 1 FROM agents_run WHERE id = %s FOR NO KEY UPDATE", [run_id])


def below(run: Run) -> list[Run]:
    """The open runs that this one delegated to, and theirs, each locked after its parent until the
    transaction ends. The caller holds the run's row."""
    found: list[Run] = []
    above = [run]
    while above:
        above = list(
            Run.objects.select_for_update(of=("self",), no_key=True)
            .select_related("agent", "agent_version")
            .filter(parent__in=above, delegated_by__isnull=False, state__in=OPEN)
            .order_by("id")
        )
        found.extend(above)
    return found

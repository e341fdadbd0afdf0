"""Which steps of a run have the answer that they waited for, and when the first of them may go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents.states import StepKind
from audit.statements import rows

# Not the rows: they hold whole conversations.
_RESOLVED = """
SELECT id, kind, (resolution->>'ready_at')::timestamptz FROM agents_step
 WHERE run_id = %s AND state = 'waiting' AND resolution IS NOT NULL
"""


@dataclass(frozen=True)
class Resolved:
    """A waiting step whose request has resolved; `ready_at` is the end of its undo time, if it has one."""

    step: UUID
    kind: StepKind
    ready_at: datetime | None


def resolved_steps(run_id: UUID) -> list[Resolved]:
    """The run's resolved and unsettled steps."""
    return [Resolved(step, StepKind(kind), at) for step, kind, at in rows(_RESOLVED, [run_id])]


def earliest_ready_at(resolved: Iterable[Resolved], now: datetime) -> datetime:
    """When the first of them may go on; now where there is none."""
    return min((step.ready_at or now for step in resolved), default=now)

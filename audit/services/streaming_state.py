"""How far each sink is, for the readiness page, metrics, auditors and operators. One statement."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection

from audit.models import STANDING_CHECKPOINTS
from audit.streaming.sinks import Sink

_STATE: Final = f"""
WITH newest AS (
    SELECT coalesce(
        (SELECT size FROM {STANDING_CHECKPOINTS} AS standing ORDER BY size DESC LIMIT 1), 0) AS size
)
SELECT coalesce(sink.name, named.name), sink.next, newest.size - coalesce(sink.next, 0),
    sink.delivered_at, sink.problem,
    coalesce(extract(epoch FROM clock_timestamp() - sink.failing_since), 0)::float,
    coalesce(extract(epoch FROM clock_timestamp() - greatest(sink.delivered_at, sink.declared_at,
        (SELECT signed_at FROM {STANDING_CHECKPOINTS} AS standing
            WHERE standing.size > coalesce(sink.next, 0) ORDER BY standing.size LIMIT 1))), 0)::float
FROM unnest(%s::text[]) AS named (name)
FULL JOIN audit_sink AS sink ON sink.name = named.name
CROSS JOIN newest ORDER BY 1
"""  # noqa: S608 - nothing of anybody's is in it


@dataclass(frozen=True)
class SinkState:
    """One sink. `sink` is None where the settings of this process do not name it any more.

    `next` is the place that it gets next, None before a scheduler has taken it up; `behind` how many signed events
    wait for it; `failing_seconds` for how long it has failed, 0 where it does not; `still_seconds` for how long
    nothing was delivered though something waited.
    """

    name: str
    sink: Sink | None
    next: int | None
    behind: int
    delivered_at: dt.datetime | None
    problem: str
    failing_seconds: float
    still_seconds: float

    @property
    def is_failing(self) -> bool:
        return self.failing_seconds > 0

    @property
    def complaint(self) -> str:
        """What an operator has to know, in a sentence; empty when all is well."""
        patience = settings.COUNTERSIGN.audit_sink_alarm_seconds
        if self.sink is None or not self.behind:
            return ""
        waiting = "1 event waits." if self.behind == 1 else f"{self.behind} events wait."
        if self.failing_seconds > patience:
            return (
                f"Audit events have not reached the sink {self.name} for {self.failing_seconds:.0f} seconds. "
                f"{self.problem} {waiting}"
            )
        if self.next is None:
            return f"No scheduler has taken up the sink {self.name} yet: has it the same settings? {waiting}"
        if self.still_seconds > patience:
            return (
                f"Nothing was sent to the sink {self.name} for {self.still_seconds:.0f} seconds: is a scheduler "
                f"at work that has the same settings? {waiting}"
            )
        return ""


def streaming_state() -> list[SinkState]:
    """How each sink stands now: those of the settings, and those that once were."""
    sinks: Mapping[str, Sink] = settings.COUNTERSIGN.audit_sinks
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [sorted(sinks)])
        rows = cursor.fetchall()
    return [
        SinkState(name, sinks.get(name), place, behind, delivered, problem or "", failing, still)
        for name, place, behind, delivered, problem, failing, still in rows
    ]

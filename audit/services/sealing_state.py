"""How sealing stands, for the readiness page, metrics and operators. One statement."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection

from audit.models import STANDING_CHECKPOINTS

_STATE: Final = f"""
SELECT state.size,
    coalesce((SELECT size FROM {STANDING_CHECKPOINTS} AS standing ORDER BY size DESC LIMIT 1), 0),
    (SELECT count(*) FROM audit_pending),
    coalesce(extract(epoch FROM clock_timestamp()
        - (SELECT inserted_at FROM audit_pending ORDER BY place LIMIT 1)), 0)::float,
    state.halted_because, state.trouble,
    coalesce((SELECT origin FROM audit_log ORDER BY id DESC LIMIT 1), '')
FROM audit_treestate AS state WHERE state.id = 1
"""  # noqa: S608 - nothing of anybody's is in it


@dataclass(frozen=True)
class SealingState:
    """Counts are events; `lag_seconds` is how long the oldest one has waited."""

    sealed: int
    signed: int
    waiting: int
    lag_seconds: float
    halted: str
    trouble: str
    origin: str

    @property
    def complaint(self) -> str:
        """What an operator has to know, in a sentence; empty when all is well."""
        if self.halted:
            return f"Sealing of the audit log has halted. {self.halted}"
        if (
            self.lag_seconds > settings.COUNTERSIGN.sealing_alarm_seconds
            or self.sealed > self.signed
        ):
            if self.trouble:
                return f"The audit log is not sealed. {self.trouble}"
            if self.lag_seconds > settings.COUNTERSIGN.sealing_alarm_seconds:
                return (
                    f"The audit log has not been sealed for {self.lag_seconds:.0f} seconds: is a scheduler at "
                    "work?"
                )
        return ""


def sealing_state() -> SealingState:
    """How the log stands now."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE)
        row = cursor.fetchone()
    if row is None:
        gone = "The state of the sealed log is not in the database: it was deleted."
        return SealingState(0, 0, 0, 0.0, gone, "", "")
    return SealingState(*row)

"""How the months of the log stand: kept, old enough to be dropped, held, or dropped. Reads only."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from audit.clock import database_now
from audit.ports import Caller
from audit.record_keeping import Hold, Retired
from audit.retention import kept_for, months
from audit.services.hold import hold_on_events

MonthState = Literal["kept", "due", "held", "dropped"]


@dataclass(frozen=True)
class MonthStanding:
    """One month of the log, from `since` (included) to `until` (excluded).

    Bodies may be dropped from `kept_until` on. `hold` covers events of a month that is `held`; `dropped` says what
    was in one that is gone.
    """

    partition: str
    since: dt.datetime
    until: dt.datetime
    state: MonthState
    kept_until: dt.datetime
    hold: Hold | None = None
    dropped: Retired | None = None


@dataclass(frozen=True)
class RetentionState:
    """How many days bodies are kept at least, and the months that have begun, newest first."""

    kept_days: int
    months: list[MonthStanding]


def retention_state(*, caller: Caller) -> RetentionState:
    """How the months stand now; raises a Forbidden unless the caller may read the log.

    Looks for holds in months that are old enough to be dropped, and in no others.
    """
    caller.require("read_audit", scope="audit")
    now, kept = database_now(), kept_for()
    standing = [
        MonthStanding(
            gone.partition, gone.since, gone.until, "dropped", gone.until + kept, dropped=gone
        )
        for gone in Retired.objects.all()
    ]
    for month in months():
        if month.since > now:
            continue
        kept_until = month.until + kept
        state: MonthState = "kept"
        hold = None
        if kept_until <= now:
            hold = hold_on_events(month.events())
            state = "held" if hold else "due"
        standing.append(
            MonthStanding(month.partition, month.since, month.until, state, kept_until, hold)
        )
    return RetentionState(kept.days, sorted(standing, key=lambda each: each.since, reverse=True))

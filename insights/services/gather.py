"""Gather what runs that ended came to, a few hundred in a transaction, going on where the last one stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from agents.ended import ended_after, undone_by
from audit.clock import database_now
from audit.fault_points import reached
from insights.journal import Versions, read_runs
from insights.judging import Facts, RunRow, judge
from insights.models import Correction, Progress, RunFact, Slice
from insights.services.touch import touch
from insights.vocabulary import Result

BATCH: Final = 500
#: A run may have ended before another one that committed earlier.
OVERLAP: Final = timedelta(minutes=2)
#: After its end a run is looked at again this often while what it did may be corrected.
LOOKS: Final = 6
_NO_RUN: Final = UUID(int=0)
_UNCOUNTED: Final = """
SELECT run.id FROM agents_run AS run
 WHERE run.created_at >= %s AND run.created_at < %s AND run.finished_at IS NOT NULL
   AND run.undoes_id IS NULL AND NOT run.simulated
   AND NOT EXISTS (SELECT FROM insights_runfact AS fact WHERE fact.run_id = run.id)
 LIMIT %s
"""
BEGINNING: Final = datetime(1970, 1, 2, tzinfo=UTC)
_WRITTEN: Final = (
    *("day", "slice", "result", "provisional", "assigned", "failure", "steps", "band"),
    *("cost_micros", "unpriced", "retries", "interventions", "intervened_ms", "resolved_ms"),
    *("worked_ms", "calls", "look_at"),
)


def window() -> timedelta:
    """For how long after its end what a run did may be corrected."""
    return timedelta(hours=settings.COUNTERSIGN.success_hours)


def progress_or_none() -> Progress | None:
    """The row that whoever gathers holds; None while somebody else does. Made where there is none yet."""
    Progress.objects.get_or_create(
        only=True,
        defaults={
            "ended_until": BEGINNING,
            "ended_id": _NO_RUN,
            "decided_until": BEGINNING,
            "started_until": BEGINNING,
            "window_seconds": window().total_seconds(),
        },
    )
    progress = Progress.objects.select_for_update(skip_locked=True).first()
    if progress is not None and progress.window_seconds != window().total_seconds():
        # What counts as a success is said anew: all of it is counted again.
        progress.ended_until, progress.ended_id = BEGINNING, _NO_RUN
        progress.window_seconds = window().total_seconds()
        progress.save()
    return progress


class Gathering:
    """One pass over what ended since the last one."""

    def __init__(self) -> None:
        self._versions = Versions()
        self._slices: dict[tuple[str, str, str], int] = {}
        self._begun = False

    def step(self) -> bool:
        """The next few hundred runs; False when there are no more, or somebody else gathers."""
        with transaction.atomic():
            progress = progress_or_none()
            if progress is None:
                return False
            since, after = progress.ended_until, progress.ended_id
            if not self._begun:
                # Later commits with an earlier end: what is known of a run already costs no write.
                since, after = max(BEGINNING, since - OVERLAP), _NO_RUN
            self._begun = True
            found = ended_after(since, after, most=BATCH)
            if found:
                self.count([run for _, run in found])
                progress.ended_until, progress.ended_id = found[-1]
                progress.save(update_fields=["ended_until", "ended_id"])
            reached("insights.gathered")
        return len(found) == BATCH

    def look_again(self) -> bool:
        """Runs whose success may have been corrected meanwhile; False when there are no more that are due."""
        with transaction.atomic():
            if progress_or_none() is None:
                return False
            due = RunFact.objects.filter(look_at__lte=database_now()).order_by("look_at")
            found = list(due.values_list("run_id", flat=True)[:BATCH])
            self.count(found)
        return len(found) == BATCH

    def look_for_uncounted(self, day: date) -> None:
        """Runs that began on the day, ended and were never seen: whoever ended them committed long after, or by a
        clock that was set back. In the caller's transaction; what is more than a batch is left to the next time."""
        begins = datetime.combine(day, time(), UTC)
        with connection.cursor() as cursor:
            cursor.execute(_UNCOUNTED, [begins, begins + timedelta(days=1), BATCH])
            self.count([run for (run,) in cursor.fetchall()])

    def count(self, ids: Iterable[UUID]) -> None:
        """Write what these runs came to; of a run that undid what another did, what that came to. Days on
        which that changes anything are summed again."""
        named = list(ids)
        wanted = sorted({*named, *undone_by(named)})
        # Locked before corrections are read: whoever corrects one holds it.
        known = RunFact.objects.select_for_update().in_bulk(wanted)
        corrections = dict(
            Correction.objects.filter(pk__in=wanted).values_list("run_id", "failure")
        )
        now = database_now()
        runs = read_runs(wanted, self._versions, window=window())
        judged = [(run, judge(run, now=now, window=window())) for run in runs]
        slices = self._slices_of(judged)
        made = [_row(run, facts, slices, corrections.get(run.id), now) for run, facts in judged]
        changed = [row for row in made if _values(row) != _values(known.get(row.run_id))]
        if not changed:
            return
        RunFact.objects.bulk_create(
            changed, update_conflicts=True, unique_fields=["run"], update_fields=_WRITTEN
        )
        touch({row.day for row in changed})

    def _slices_of(self, judged: Sequence[tuple[RunRow, Facts]]) -> dict[tuple[str, str, str], int]:
        wanted: dict[tuple[str, str, str], str] = {}
        for run, facts in judged:
            for tool in {"", *(call["tool"] for call in facts.calls)}:
                wanted[run.version.agent, run.version.digest, tool] = run.version.category
        missing = [
            Slice(agent=a, version=v, tool=t, category=wanted[a, v, t])
            for a, v, t in sorted(wanted.keys() - self._slices.keys())
        ]
        if missing:
            Slice.objects.bulk_create(missing, ignore_conflicts=True)
            found = Slice.objects.filter(version__in={each.version for each in missing})
            for pk, *key in found.values_list("pk", "agent", "version", "tool"):
                self._slices[key[0], key[1], key[2]] = pk
        return self._slices


def _row(
    run: RunRow,
    facts: Facts,
    slices: dict[tuple[str, str, str], int],
    corrected: str | None,
    now: datetime,
) -> RunFact:
    given = asdict(facts) | {"result": facts.result.value}
    failed = facts.result is not Result.SUCCESS
    return RunFact(
        run_id=run.id,
        slice_id=slices[run.version.agent, run.version.digest, ""],
        failure=(corrected or facts.assigned) if failed else "",
        look_at=_next_look(run, now) if facts.provisional else None,
        **given,
    )


def _next_look(run: RunRow, now: datetime) -> datetime:
    """At growing distances from its end, the last time when nothing can change any more."""
    moments = (run.finished_at + window() / 2**each for each in range(LOOKS - 1, -1, -1))
    return next((moment for moment in moments if moment > now), now)


def _values(row: RunFact | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {name: getattr(row, "slice_id" if name == "slice" else name) for name in _WRITTEN}

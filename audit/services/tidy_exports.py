"""Remove files of exports that are old, or more than the disk is meant to hold."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings

from audit import export_file
from audit.clock import database_now
from audit.models import Export, ExportState

log = structlog.get_logger(__name__)


def tidy_exports() -> int:
    """Remove what may hold something that was erased since and what is over age, then the oldest until the rest fits;
    returns how many files. For the scheduler.

    What was exported stays on record; only the file goes. What killed attempts left goes too.
    """
    config = settings.COUNTERSIGN
    now = database_now()
    before = now - timedelta(seconds=config.export_keep_seconds)
    finished = Export.objects.filter(state=ExportState.FINISHED).order_by("-finished_at", "-id")
    kept = 0
    removed = sum(
        _remove(
            export,
            "Its file was removed because something was erased from the log since. Ask for it again.",
        )
        for export in list(finished.from_before_an_erasure())
    )
    for export in finished.iterator(500):
        kept += export.bytes
        if export.finished_at is not None and export.finished_at < before:
            removed += _remove(export, "Its file was removed because of its age. Ask for it again.")
        elif kept > config.export_keep_bytes:
            removed += _remove(
                export, "Its file was removed to make room for newer ones. Ask for it again."
            )
    _leftovers(now)
    return removed


def _remove(export: Export, why: str) -> int:
    if not Export.objects.move(export.id, ExportState.FINISHED, ExportState.REMOVED, problem=why):
        return 0
    export_file.path_of(export).unlink(missing_ok=True)
    log.info("export_file_removed", export=str(export.id), bytes=export.bytes)
    return 1


def _leftovers(now: datetime) -> None:
    """What exports that failed for good, or are not known any more, left behind when they were killed."""
    underway = {str(pk) for pk in Export.objects.underway().values_list("pk", flat=True)}
    for export_id in export_file.unfinished_exports(
        older_than=now.timestamp() - settings.COUNTERSIGN.export_lease_seconds
    ):
        if str(export_id) not in underway:
            export_file.clear_leftovers(export_id)

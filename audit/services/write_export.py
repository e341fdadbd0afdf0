"""Write the file of an export that was asked for, and find exports that no worker heard of."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import structlog
from django.db import models

from audit import export_file, queues
from audit.clock import database_now
from audit.filters import EventFilter
from audit.models import Event, Export, ExportState

UNHEARD_SECONDS = 30

log = structlog.get_logger(__name__)


def write_export(export_id: UUID) -> None:
    """Write the file; does nothing when it is written already or failed.

    May run twice: both runs write the same bytes and only a whole file gets the export's name. When the
    disk refuses, the export says so; any other error is marked on it too, and raised.
    """
    unfinished = Export.objects.filter(
        pk=export_id, state__in=[ExportState.QUEUED, ExportState.RUNNING]
    )
    if not unfinished.update(state=ExportState.RUNNING):
        return
    export = Export.objects.get(pk=export_id)
    chosen = EventFilter.read(export.filters).applied_to(
        Event.objects.filter(inserted_at__lt=export.until)
    )
    try:
        written = export_file.write(export, chosen, partial(_progress, unfinished))
    except OSError as error:
        _fail(
            unfinished,
            f"The file could not be written: {error.strerror or error}. Ask again later.",
        )
        log.exception("export_failed", export=str(export_id))
        return
    except BaseException:
        _fail(unfinished, "The export was interrupted. Ask for it again.")
        raise
    unfinished.update(
        state=ExportState.FINISHED,
        events=written.events,
        bytes=written.bytes,
        sha256=written.sha256,
        finished_at=database_now(),
    )


def resume_exports() -> int:
    """Put exports on the queue again whose wake-up was lost; returns how many. For the scheduler."""
    unheard = Export.objects.filter(
        state=ExportState.QUEUED,
        created_at__lt=database_now() - timedelta(seconds=UNHEARD_SECONDS),
    )
    for export in unheard:
        queues.write_export(export.id)
    return len(unheard)


def _progress(unfinished: "models.QuerySet[Export]", events: int) -> None:
    unfinished.update(events=events)


def _fail(unfinished: "models.QuerySet[Export]", problem: str) -> None:
    unfinished.update(state=ExportState.FAILED, problem=problem, finished_at=database_now())

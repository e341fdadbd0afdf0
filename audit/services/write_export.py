"""Write the file of an export that was asked for, and find exports whose worker went away."""

from uuid import UUID

import structlog
from django.conf import settings

from audit import export_file, queues
from audit.bundle import write as bundle
from audit.clock import database_now
from audit.fault_points import reached
from audit.filters import EventFilter
from audit.merkle.tiles import MissingHash
from audit.models import Event, Export, ExportFormat, ExportQuerySet, ExportState
from audit.signing import KeyTrouble

log = structlog.get_logger(__name__)


class TakenOver(Exception):
    """This attempt gave no sign of life for so long that another one took the export up."""


def write_export(export_id: UUID) -> None:
    """Write the file; does nothing when it is written already, failed, or is being written.

    An attempt whose process was killed is taken up again once its lease is over, and finished on the same
    checkpoint. When the disk refuses, the export says so; any other error is marked on it too, and raised.
    """
    held = _take(export_id)
    if held is None:
        return
    export = held.get()
    export_file.clear_leftovers(export_id)

    def beat(events: int) -> None:
        if not held.update(events=events, beat_at=database_now()):
            raise TakenOver
        reached("export.beat")

    try:
        written = _bundle(export, held, beat) if _is_bundle(export) else _plain(export, beat)
    except TakenOver:
        log.warning("export_taken_over", export=str(export_id))
    except (bundle.NothingSealed, KeyTrouble) as error:
        _fail(held, str(error))
        log.warning("export_not_signed", export=str(export_id), error=str(error))
    except MissingHash as missing:
        _fail(
            held,
            f"No evidence can be made: the sealed log is not whole. {missing} Have it checked.",
        )
        log.exception("export_of_a_damaged_log", export=str(export_id))
    except OSError as error:
        _fail(held, f"The file could not be written: {error.strerror or error}. Ask again later.")
        log.exception("export_failed", export=str(export_id))
    except Exception:
        _fail(held, "The export was interrupted by an error. Ask for it again.")
        raise
    except BaseException:
        # The worker is told to stop: whoever looks next takes the export up at once.
        held.update(beat_at=None)
        raise
    else:
        held.update(state=ExportState.FINISHED, finished_at=database_now(), **written)


def resume_exports() -> int:
    """Put exports on the queue again whose wake-up was lost or whose worker went away; returns how many.

    For the scheduler.
    """
    unheard = Export.objects.unheard()
    for export in unheard:
        queues.write_export(export.id)
    return len(unheard)


def _take(export_id: UUID) -> ExportQuerySet | None:
    """The export as this attempt's own; None when there is nothing to do."""
    taken = Export.objects.take(export_id, events=0)
    if taken is not None:
        return taken
    most = settings.COUNTERSIGN.export_attempts
    if Export.objects.free(export_id).update(
        state=ExportState.FAILED,
        finished_at=database_now(),
        problem=f"Whoever wrote the file was stopped {most} times. Ask for it again.",
    ):
        export_file.clear_leftovers(export_id)
        log.error("export_given_up", export=str(export_id), attempts=most)
    return None


def _is_bundle(export: Export) -> bool:
    return export.format == ExportFormat.BUNDLE


def _bundle(export: Export, held: ExportQuerySet, beat: bundle.Beat) -> dict[str, object]:
    if export.size is None:
        checkpoint, not_sealed = bundle.wait_for_seal(export, beat)
        held.update(size=checkpoint.size, not_sealed=not_sealed)
        export.size, export.not_sealed = checkpoint.size, not_sealed
    written = bundle.write(export, beat)
    return {
        "events": written.events,
        "bytes": written.bytes,
        "sha256": written.sha256,
        "disclosures": written.disclosures,
        "completeness": written.completeness,
    }


def _plain(export: Export, beat: bundle.Beat) -> dict[str, object]:
    chosen = EventFilter.read(export.filters).applied_to(
        Event.objects.filter(inserted_at__lt=export.until)
    )
    written = export_file.write(export, chosen, beat)
    return {"events": written.events, "bytes": written.bytes, "sha256": written.sha256}


def _fail(held: ExportQuerySet, problem: str) -> None:
    held.update(state=ExportState.FAILED, problem=problem, finished_at=database_now())

"""Hand out the file of a finished export; each hand-out is an event."""

from pathlib import Path
from uuid import UUID

from django.db import transaction

from audit import export_file
from audit.errors import Conflict, NotFound, Unavailable
from audit.models import Export, ExportFormat, ExportState
from audit.ports import Caller
from audit.recorder import record


class UnknownExport(NotFound):
    """There is no such export, or not for this caller."""

    code = "unknown_export"

    def __init__(self, export_id: UUID) -> None:
        super().__init__(f"There is no export {export_id}.", params={"export": str(export_id)})


class ExportNotFinished(Conflict):
    """The export's file is not there yet, or never will be."""

    code = "export_not_finished"

    def __init__(self, export: Export) -> None:
        super().__init__(
            f"This export is {export.get_state_display()}: {export.problem or 'look again in a moment'}",
            params={"state": export.state},
        )


class ExportFileGone(Unavailable):
    """The export is finished and its file is not on this machine."""

    code = "export_file_gone"

    def __init__(self) -> None:
        super().__init__(
            "The file of this export is not on this machine any more. Ask for it again."
        )


def find_export(export_id: UUID, *, caller: Caller) -> Export:
    """The export, or `UnknownExport`; raises a Forbidden unless the caller may export the log."""
    caller.require("export_audit", scope="audit")
    export = Export.objects.visible_to(caller.user).filter(pk=export_id).first()
    if export is None:
        raise UnknownExport(export_id)
    return export


def download_export(export_id: UUID, *, caller: Caller) -> tuple[Export, Path]:
    """The export and where its file lies, after recording that the caller got it.

    Raises `UnknownExport`, `ExportNotFinished`, `ExportFileGone`, or a Forbidden.
    """
    export = find_export(export_id, caller=caller)
    if export.state != ExportState.FINISHED:
        raise ExportNotFinished(export)
    path = export_file.path_of(export)
    if not path.is_file():
        raise ExportFileGone
    with transaction.atomic():
        record(
            type="export.downloaded",
            actor=caller.actor,
            stream="log",
            facts={
                "export": export.id,
                "format": export.format,
                "events": export.events,
                "sha256": export.sha256,
                **(
                    {"size": export.size, "disclosures": export.disclosures}
                    if export.format == ExportFormat.BUNDLE
                    else {}
                ),
            },
        )
    return export, path

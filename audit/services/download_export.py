"""Hand out the file of a finished export; each hand-out is an event."""

from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from audit import export_file
from audit.errors import Conflict, NotFound, Unavailable
from audit.models import Export, ExportFormat, ExportState
from audit.ports import Caller
from audit.recorder import record

#: What an evidence export may hold beside events, and the permission with which it was put in.
_NEEDS: Final = (
    ("with_disclosures", "read_audit"),
    ("with_documents", "read_everything"),
    ("with_sensitive", "read_sensitive"),
)


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


class ExportBeforeErasure(Conflict):
    """Something was erased from the log after the export was asked for, and its file may still hold it."""

    code = "export_before_erasure"

    def __init__(self) -> None:
        super().__init__(
            gettext(
                "Something was erased from the log after this export was asked for, and its file may still hold "
                "it. Ask for it again."
            )
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

    Somebody else may have asked for it, or the caller when they might read more: what it holds, the caller has to be
    allowed to read now. Raises `UnknownExport`, `ExportNotFinished`, `ExportBeforeErasure`, `ExportFileGone`, or a
    Forbidden.
    """
    export = find_export(export_id, caller=caller)
    if export.state != ExportState.FINISHED:
        raise ExportNotFinished(export)
    for holds, permission in _NEEDS:
        if getattr(export, holds):
            caller.require(permission, scope="audit")
    if Export.objects.from_before_an_erasure().filter(pk=export.pk).exists():
        raise ExportBeforeErasure
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

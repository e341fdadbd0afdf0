"""Ask for an export of the events that a filter chooses."""

from typing import Literal

from django.db import transaction

from audit.clock import database_now
from audit.filters import EventFilter
from audit.models import Export
from audit.ports import Caller
from audit.queues import write_export_on_commit
from audit.recorder import record
from audit.schemas import Disclose

Format = Literal["jsonl", "csv"]


def ask_export(*, chosen: EventFilter, file_format: Format, caller: Caller) -> Export:
    """Store the wish, record it, and let a worker write the file.

    The export holds what was inserted before it was asked for. Raises a Forbidden unless the caller may
    export the log.
    """
    caller.require("export_audit", scope="audit")
    now = database_now()
    given = chosen.resolved().given()
    with transaction.atomic():
        export = Export.objects.create(
            asked_by=caller.actor.id, format=file_format, filters=given, until=now, created_at=now
        )
        record(
            type="export.asked",
            actor=caller.actor,
            stream="log",
            facts={"export": export.id, "format": file_format, "filtered_by": sorted(given)},
            # People type names into filters.
            disclosures=[Disclose("filters", given, f"export:{export.id}")] if given else (),
        )
        write_export_on_commit(export.id)
    return export

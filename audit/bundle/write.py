"""An evidence export from the database: choose, wait for the seal, gather, put together."""

import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from audit import export_file, signing
from audit.bundle import parquet, sealed
from audit.bundle.evidence import Evidence, cleared, named_in
from audit.bundle.hashes import BatchOfHashes
from audit.bundle.manifest import Claims, completeness, put_together
from audit.bundle.proof_lines import consistency_file
from audit.document_ports import Reference, documents_for
from audit.fact_schemas import moment_text
from audit.filters import EventFilter
from audit.models import Checkpoint, Event, EventQuerySet, Export, ExportFormat, Leaf, Pending
from audit.record_keeping import Sample
from audit.services.checkpoints import consistency_path
from audit.services.cosigned import Cosigned, cosigned_before

EARLIER_EXPORTS: Final = 50
_LOOK_AGAIN_SECONDS: Final = 0.1
_NOT_ALLOWED: Final = "whoever asked for this export may not read them, or did not ask for them."
_NO_PARQUET: Final = "it is made where pyarrow is installed, the extra parquet."

Beat = Callable[[int], None]


class NothingSealed(Exception):
    """There is no checkpoint yet; the text says what to do."""

    def __init__(self) -> None:
        super().__init__(
            "Nothing of the log is sealed yet. The scheduler seals it: see that it runs, and ask again."
        )


@dataclass(frozen=True)
class WrittenBundle:
    """What a finished evidence export holds."""

    events: int
    bytes: int
    sha256: str
    disclosures: int
    completeness: dict[str, Any]


def wait_for_seal(export: Export, beat: Beat) -> tuple[Checkpoint, int]:
    """The newest checkpoint, once it covers what was inserted before the export was asked for.

    Waits `export_seal_wait_seconds` at most, and answers then with what there is and the number of events
    that it lacks. Raises `NothingSealed`.
    """
    chosen = EventFilter.read(export.filters).applied_to(
        Event.objects.filter(inserted_at__lt=export.until)
    )
    deadline = time.monotonic() + settings.COUNTERSIGN.export_seal_wait_seconds
    while True:
        # Looked at first: what is not sealed by then cannot be in an earlier checkpoint.
        checkpoint = Checkpoint.objects.newest()
        size = checkpoint.size if checkpoint else 0
        waiting = _unsealed(chosen, export, size)
        if checkpoint is not None and not waiting:
            return checkpoint, 0
        if time.monotonic() >= deadline:
            if checkpoint is None:
                raise NothingSealed
            return checkpoint, waiting
        beat(0)
        time.sleep(_LOOK_AGAIN_SECONDS)


def _unsealed(chosen: EventQuerySet, export: Export, size: int) -> int:
    pending = Pending.objects.filter(inserted_at__lt=export.until)
    uncovered = Leaf.objects.filter(index__gte=size, event_inserted_at__lt=export.until)
    return chosen.filter(
        Q(id__in=pending.values("event")) | Q(id__in=uncovered.values("event"))
    ).count()


def write(export: Export, beat: Beat) -> WrittenBundle:
    """Write the ZIP over the checkpoint of the export's size; it appears under its name only when it is whole.

    `beat` is told the number of events so far, often. Raises OSError where the disk refuses.
    """
    target = export_file.path_of(export)
    unfinished = export_file.unfinished_of(export)
    folder = cleared(unfinished.with_suffix(".parts"))
    try:
        export_file.begin(unfinished)
        assert export.size is not None, "it is chosen before anything is written"
        checkpoint = Checkpoint.objects.standing().get(size=export.size)
        written = _written(export, checkpoint, beat, unfinished, folder)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    return written


def _written(
    export: Export,
    checkpoint: Checkpoint,
    beat: Beat,
    unfinished: Path,
    folder: Path,
) -> WrittenBundle:
    _require_signing(checkpoint)
    chosen = EventFilter.read(export.filters)
    by_place = set(export.filters) <= {"since", "until"}
    hashes = BatchOfHashes()
    with ExitStack() as stack:
        evidence = stack.enter_context(
            Evidence(folder, hashes, checkpoint.size, disclosures=export.with_disclosures)
        )
        if parquet.is_installed():
            table = parquet.ParquetTable(folder / "events.parquet")
            evidence.rows = stack.enter_context(table).row
        first, end = sealed.places(chosen.since, chosen.until, checkpoint.size)
        events = Event.objects.all() if by_place else chosen.applied_to(Event.objects.all())
        for batch in sealed.batches(events, first, end):
            hashes.prepare(evidence.position, [each.index for each in batch])
            _gather(export, evidence, batch)
            beat(evidence.events)
        shape = evidence.shape()
    claimed = completeness(
        shape,
        places=(first, end) if by_place else None,
        story=_story(chosen),
        dropped=sealed.dropped(first, end) if by_place else 0,
    )
    claims = _claims(export, checkpoint, claimed)
    with unfinished.open("wb") as file:
        zipped = put_together(
            file,
            folder,
            evidence,
            claims,
            checkpoint=checkpoint.note,
            sign=signing.sign_note,
            beat=lambda: beat(shape.events),
        )
        digest = zipped.finish()
    return WrittenBundle(shape.events, zipped.size, f"sha256:{digest}", evidence.opened, claimed)


def _require_signing(checkpoint: Checkpoint) -> None:
    """The manifest is signed under the name of its checkpoint's log, or not at all; raises `KeyTrouble`."""
    origin = checkpoint.note.partition("\n")[0]
    if any(key.name != origin for key in signing.signing_keys()):
        raise signing.KeyTrouble(
            f"The log {origin} was followed by another one while this export was written. Ask for it again."
        )


def _gather(export: Export, evidence: Evidence, batch: list[sealed.Sealed]) -> None:
    opened = sealed.disclosures_of(batch) if export.with_disclosures else {}
    wanted: dict[str, Reference] = {}
    for each in batch:
        encoded = opened.get(each.id, [])
        event = evidence.event(each.index, each.body, encoded)
        for digest, name in named_in(event, encoded):
            if not evidence.contents.has(digest):
                request, run = event.get("request"), event.get("agent", {}).get("run")
                wanted[digest] = Reference(
                    digest, name, UUID(request) if request else None, UUID(run) if run else None
                )
    there = {}
    if export.with_documents and wanted:
        there = documents_for(list(wanted.values()), sensitive=export.with_sensitive)
    evidence.documents(wanted, there)


def _story(chosen: EventFilter) -> str | None:
    """The one story that the filter asks for whole."""
    given = chosen.given()
    if set(given) == {"stream"}:
        return given["stream"]
    return f"request:{given['request']}" if set(given) == {"request"} else None


def _claims(
    export: Export,
    checkpoint: Checkpoint,
    claimed: dict[str, Any],
) -> Claims:
    size = checkpoint.size
    seen = cosigned_before(checkpoint, export.created_at)
    return Claims(
        export=str(export.id),
        origin=checkpoint.note.partition("\n")[0],
        asked_at=moment_text(export.created_at),
        filters=export.filters | _told_of_sample(export.filters.get("sample")),
        challenge=export.challenge,
        keys=[str(key) for key in signing.signing_keys()],
        size=size,
        root=bytes(checkpoint.root),
        completeness=claimed,
        consistency={
            old: consistency_file(old, size, consistency_path(old, size))
            for old in _known_sizes(export, size, seen)
        },
        not_sealed=export.not_sealed,
        without_disclosures="" if export.with_disclosures else _NOT_ALLOWED,
        without_documents="" if export.with_documents else _NOT_ALLOWED,
        without_parquet="" if parquet.is_installed() else _NO_PARQUET,
        file_name=export.file_name,
        cosigned=seen.note if seen else "",
    )


def _known_sizes(export: Export, size: int, seen: Cosigned | None) -> Iterable[int]:
    """Sizes of the log that whoever asked may know: from their earlier exports, as they say, from witnesses."""
    earlier = Export.objects.filter(
        asked_by=export.asked_by,
        format=ExportFormat.BUNDLE,
        size__gt=0,
        size__lt=size,
        id__lt=export.id,
    )
    known = set(
        earlier.order_by("-size").values_list("size", flat=True).distinct()[:EARLIER_EXPORTS]
    )
    if export.since_size and export.since_size < size:
        known.add(export.since_size)
    if seen and seen.size < size:
        known.add(seen.size)
    return sorted(size for size in known if size is not None)


def _told_of_sample(drawn: str | None) -> dict[str, str]:
    """With the events of a random sample goes the seed they were drawn by."""
    sample = Sample.objects.filter(pk=drawn).first() if drawn else None
    return sample.told() if sample else {}

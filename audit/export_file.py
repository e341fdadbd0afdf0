"""The file of an export, written at flat memory from PostgreSQL's COPY.

JSON Lines holds the bodies byte for byte, one a line: they are evidence. CSV is derived from them.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import F, Func, TextField
from django.db.models.expressions import Value
from django.db.models.functions import Cast

from audit import spreadsheet
from audit.copying import SEPARATOR, copied
from audit.models import EventQuerySet, Export, ExportFormat

ROWS_A_BATCH = 20_000


@dataclass(frozen=True)
class Written:
    """What a finished file holds."""

    events: int
    bytes: int
    sha256: str


def folder() -> Path:
    """Where export files lie. Made here, it is readable by the product's own account alone."""
    path: Path = settings.COUNTERSIGN.data_dir / "exports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def begin(path: Path) -> None:
    """An empty file there for its own account, and for the folder's group to read where that may read the folder:
    web processes hand out what another account has made."""
    shared = path.parent.stat().st_mode & stat.S_IRGRP
    path.touch(mode=0o640 if shared else 0o600)


def path_of(export: Export) -> Path:
    """Where the export's file lies, once it is finished."""
    return folder() / export.file_name


def unfinished_of(export: Export) -> Path:
    """Where the file lies while this attempt writes it."""
    return folder() / f".{export.id}.{export.holder}.part"


def unfinished_exports(*, older_than: float) -> set[UUID]:
    """Exports of which unfinished files lie here that nobody has written to since that moment (of the epoch)."""
    found = set()
    for left in folder().glob(".*"):
        try:
            if left.stat().st_mtime < older_than:
                found.add(UUID(left.name[1:37]))
        except (FileNotFoundError, ValueError):
            # Finished meanwhile, or not of ours.
            continue
    return found


def clear_leftovers(export_id: UUID) -> None:
    """Remove what earlier attempts at the export left when they were killed."""
    for left in folder().glob(f".{export_id}.*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write(export: Export, events: EventQuerySet, progress: Callable[[int], None]) -> Written:
    """Write the export's file, oldest event first; it appears under its name only when it is whole.

    `progress` is told the number of events written so far. Raises OSError where the disk refuses.
    """
    target = path_of(export)
    unfinished = unfinished_of(export)
    digest, count, size = hashlib.sha256(), 0, 0
    lines = _csv_lines if export.format == ExportFormat.CSV else _json_lines
    try:
        begin(unfinished)
        with unfinished.open("wb") as file:
            for block, events_so_far in lines(events):
                file.write(block)
                digest.update(block)
                size += len(block)
                if events_so_far != count:
                    count = events_so_far
                    progress(count)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return Written(count, size, f"sha256:{digest.hexdigest()}")


def _json_lines(events: EventQuerySet) -> Iterator[tuple[bytes, int]]:
    count = 0
    for bodies in _batches(events):
        count += len(bodies)
        yield b"".join(body + b"\n" for body in bodies), count


def _csv_lines(events: EventQuerySet) -> Iterator[tuple[bytes, int]]:
    count = 0
    yield spreadsheet.header(), count
    for bodies in _batches(events):
        count += len(bodies)
        yield b"".join(map(spreadsheet.row, bodies)), count


def _batches(events: EventQuerySet) -> Iterator[list[bytes]]:
    """Bodies, oldest first, a batch at a time: between batches the connection is free for progress."""
    moment, last = "-infinity", "00000000-0000-0000-0000-000000000000"
    while True:
        bodies: list[bytes] = []
        for line in copied(_after(events, moment, last)):
            moment_text, last_text, body = line.split(SEPARATOR, 2)
            bodies.append(body)
        if not bodies:
            return
        moment, last = moment_text.decode(), last_text.decode()
        yield bodies
        if len(bodies) < ROWS_A_BATCH:
            return


def _after(events: EventQuerySet, moment: str, last: str) -> tuple[str, tuple[object, ...]]:
    """SQL of the next batch: the place as text, the id and the body of each event."""
    utf8 = Value("UTF8")
    chosen = (
        events.oldest_first()
        .extra(
            where=["(inserted_at, id) > (%s::timestamptz, %s::uuid)"],
            params=[moment, last],
        )
        .annotate(
            place=Cast(F("inserted_at"), TextField()),
            text=Func(F("body"), utf8, function="convert_from", output_field=TextField()),
        )
        .values_list("place", "id", "text")[:ROWS_A_BATCH]
    )
    sql, params = chosen.query.sql_with_params()
    return sql, params

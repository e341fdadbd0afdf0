"""A batch of sealed events as it is sent: places, bodies, and what proves them under a checkpoint."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Max, Min

from audit.bundle.proof_lines import ProofLines, subtrees
from audit.merkle.proofs import Node
from audit.merkle.stored import StoredHashes
from audit.models import Checkpoint, Leaf
from audit.retention import dropped_at

LARGEST_BATCH_BYTES: Final = 1_000_000
_ENTRIES: Final = """
SELECT leaf.index, leaf.event, leaf.event_inserted_at, leaf.leaf_hash, event.body
FROM audit_leaf AS leaf
LEFT JOIN audit_event AS event ON event.id = leaf.event
    AND event.inserted_at = leaf.event_inserted_at AND event.inserted_at BETWEEN %s AND %s
WHERE leaf.index >= %s AND leaf.index < %s ORDER BY leaf.index
"""


@dataclass(frozen=True)
class Entry:
    """One event at its place. `body` is None where it is kept no longer, for which `why` has a word:
    `retention`, or `missing` where nothing says why."""

    index: int
    event: UUID
    leaf_hash: bytes
    body: bytes | None
    why: str = ""


@dataclass(frozen=True)
class Batch:
    """The events from `first` to before `until`, and the checkpoint under which all of them stand.

    `id` is the same however often the batch is sent. `proof` are lines as in the file `proofs` of an export: with
    the leaf hashes of these events they fold to the checkpoint's root.
    """

    id: str
    first: int
    until: int
    origin: str
    size: int
    note: str
    signed_at: dt.datetime
    proof: tuple[str, ...]
    entries: tuple[Entry, ...]


def entries(first: int, until: int) -> list[Entry]:
    """The events at these places, in order."""
    bounds = Leaf.objects.filter(index__gte=first, index__lt=until).aggregate(
        low=Min("event_inserted_at"), high=Max("event_inserted_at")
    )
    with connection.cursor() as cursor:
        # The bounds keep PostgreSQL to the partitions that the places lie in.
        cursor.execute(_ENTRIES, [bounds["low"], bounds["high"], first, until])
        rows = cursor.fetchall()
    return [
        Entry(index, event, bytes(leaf_hash), bytes(body))
        if body is not None
        else Entry(index, event, bytes(leaf_hash), None, _why_gone(moment))
        for index, event, moment, leaf_hash, body in rows
    ]


def end_of_batch(first: int, until: int) -> int:
    """Where a batch ends that begins at `first`: before `until`, and of a bounded length, by one event at least."""
    held, end = 0, first
    for entry in entries(first, until):
        held += len(entry.body or b"")
        if held > LARGEST_BATCH_BYTES and end > first:
            return end
        end = entry.index + 1
    return end


def batch_of(series: UUID, first: int, until: int, checkpoint: Checkpoint) -> Batch:
    """The batch of these places under that checkpoint, the same bytes whenever it is made."""
    return Batch(
        id=f"{series.hex}.{first}-{until}",
        first=first,
        until=until,
        origin=checkpoint.log.origin,
        size=checkpoint.size,
        note=checkpoint.note,
        signed_at=checkpoint.signed_at,
        proof=tuple(range_proof(first, until, checkpoint.size)),
        entries=tuple(entries(first, until)),
    )


def range_proof(first: int, until: int, size: int) -> Iterable[str]:
    """What proves the places from `first` to before `until` in the tree of that size, as lines (docs/verify.md)."""
    hashes = StoredHashes(
        Node(level, index)
        for start, end in ((0, first), (until, size))
        for level, index in subtrees(start, end)
    )
    lines = ProofLines(hashes, size)
    made = lines.header() + b"".join(lines.leaf(index) for index in range(first, until))
    return (made + lines.end()).decode().splitlines()


def _why_gone(inserted_at: dt.datetime) -> str:
    return "retention" if dropped_at(inserted_at) else "missing"

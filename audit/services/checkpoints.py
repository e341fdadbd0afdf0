"""Checkpoints and the proofs that lead to them, for pages, the API and exports. Reads only."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from audit.errors import Conflict, NotFound
from audit.merkle.notes import VerifierKey
from audit.merkle.proofs import (
    consistency,
    consistency_nodes,
    inclusion,
    inclusion_nodes,
    root_from_inclusion,
)
from audit.merkle.stored import StoredHashes
from audit.merkle.tiles import MissingHash
from audit.models import Checkpoint, Event, Leaf, LogKey, may_read
from audit.ports import Person
from audit.retention import dropped_at


class NoCheckpoint(NotFound):
    """The log has no checkpoint, or none of that size."""

    code = "no_checkpoint"


class NotSealedYet(NotFound):
    """The event has no place under a checkpoint yet."""

    code = "not_sealed_yet"


class LogDamaged(Conflict):
    """What the database holds does not lead to what was signed."""

    code = "log_damaged"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} It was changed after it was sealed, or the log was. Have the whole log checked."
        )


@dataclass(frozen=True)
class EventProof:
    """That an event stands in the log: its leaf, the way to the root, and the signed root.

    `path` leads from the leaf to the checkpoint's root (RFC 9162, 2.1.3), lowest first.
    """

    event: UUID
    index: int
    leaf_hash: bytes
    path: list[bytes]
    checkpoint: Checkpoint


@dataclass(frozen=True)
class ConsistencyProof:
    """That the log at `second` begins with the log at `first` (RFC 9162, 2.1.4)."""

    first: Checkpoint
    second: Checkpoint
    path: list[bytes]


def newest_checkpoint() -> Checkpoint | None:
    """The newest signed checkpoint; None before the first."""
    return Checkpoint.objects.select_related("log").newest()


def checkpoint_at(size: int) -> Checkpoint:
    """The checkpoint of that size; raises `NoCheckpoint`."""
    found = Checkpoint.objects.standing().select_related("log").filter(size=size).first()
    if found is None:
        raise NoCheckpoint(f"The log has no checkpoint of size {size}.", params={"size": size})
    return found


def verifier_keys() -> list[VerifierKey]:
    """Every key that signs or signed checkpoints of this installation, the oldest first."""
    return [row.key for row in LogKey.objects.order_by("added_at", "verifier")]


def prove_event(event: UUID, *, viewer: Person, size: int | None = None) -> EventProof:
    """The proof of an event under the newest checkpoint, or the one of `size`.

    The proof leads there: an event that was changed, or a tree that was, raises `LogDamaged`. Raises `NotFound`,
    `NotSealedYet` and `NoCheckpoint` too.
    """
    leaf = Leaf.objects.filter(event=event).first() if may_read(viewer) else None
    there = Event.objects.visible_to(viewer).filter(pk=event).only("leaf_hash").first()
    # The body of an event may be dropped; that it stood in the log is proved all the same.
    if there is None and leaf is None:
        raise NotFound("There is no such event.")
    if there is None and leaf is not None and dropped_at(leaf.event_inserted_at) is None:
        raise LogDamaged(f"This event was sealed as leaf {leaf.index} and is not there any more.")
    checkpoint = newest_checkpoint() if size is None else checkpoint_at(size)
    if leaf is None or checkpoint is None or leaf.index >= checkpoint.size:
        raise NotSealedYet("This event has no place under a checkpoint yet; ask again in a moment.")
    stands_for = bytes(leaf.leaf_hash if there is None else there.leaf_hash)
    try:
        (path,) = inclusion_paths([leaf.index], checkpoint.size)
    except MissingHash as missing:
        raise LogDamaged(f"This event cannot be proved: {missing}") from missing
    if root_from_inclusion(stands_for, leaf.index, checkpoint.size, path) != bytes(checkpoint.root):
        raise LogDamaged("This event does not lead to the root that was signed.")
    return EventProof(event, leaf.index, stands_for, path, checkpoint)


def inclusion_paths(indexes: Iterable[int], size: int) -> list[list[bytes]]:
    """Inclusion proofs of several leaves in the tree of that size, their tiles read in one statement.

    About 8 KB of memory for every 256 leaves that lie apart: ask for a thousand at a time.
    """
    wanted = list(indexes)
    hashes = StoredHashes(node for index in wanted for node in inclusion_nodes(index, size))
    return [inclusion(hashes, index, size) for index in wanted]


def prove_consistency(first: int, second: int) -> ConsistencyProof:
    """The proof between two checkpoints, in either order; raises `NoCheckpoint` and `LogDamaged`."""
    older, newer = checkpoint_at(min(first, second)), checkpoint_at(max(first, second))
    try:
        return ConsistencyProof(older, newer, consistency_path(older.size, newer.size))
    except MissingHash as missing:
        raise LogDamaged(f"That the log only grew cannot be proved: {missing}") from missing


def consistency_path(first: int, second: int) -> list[bytes]:
    """The consistency proof between two sizes of the tree, `first` not above `second`."""
    return consistency(StoredHashes(consistency_nodes(first, second)), first, second)

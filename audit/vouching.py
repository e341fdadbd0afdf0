"""Whether the database's log is the one that was sealed last, by what is kept outside of it."""

from collections.abc import Callable, Iterable

from audit import outside
from audit.merkle.notes import (
    Checkpoint,
    NoteNotValid,
    VerifierKey,
    opened,
    read_checkpoint,
    read_note,
)
from audit.merkle.proofs import root, root_nodes
from audit.merkle.stored import StoredHashes
from audit.merkle.tiles import MissingHash


class Rewound(Exception):
    """The database's log is not the one that was sealed. The text is a sentence; `why` a code."""

    def __init__(self, why: str, sentence: str) -> None:
        super().__init__(sentence)
        self.why = why


class Unvouched(Exception):
    """Whether the database was set back cannot be told on this machine; the text is a sentence."""


def check_outside(
    note: str | None,
    *,
    origin: str,
    keys: Callable[[], Iterable[VerifierKey]],
    size: int,
    current_root: bytes,
    has_checkpoints: bool,
    using: str,
) -> Checkpoint | None:
    """Hold the tree of the database against the note that is kept outside; returns its checkpoint.

    The note is read before the tree, or while the tree's state is locked: what another sealer signs in
    between would accuse the database.

    Two statements at most, none where the tree is the one of that checkpoint. `keys` are every key of the
    log, asked for where they are needed. Raises `Rewound` and `Unvouched`.
    """
    if note is None:
        if has_checkpoints:
            raise Unvouched(
                f"No checkpoint is kept in {outside.path()}, though the log has some: on a new machine, let it "
                "take up the log with audit_log adopt; elsewhere find out who deleted it."
            )
        check_tree(size, current_root, None, using=using)
        return None
    kept = _opened(note, origin, keys, size, current_root)
    if kept.size > size:
        raise Rewound(
            "behind",
            f"The database holds {size} sealed events and the checkpoint kept outside of it says {kept.size}: "
            "the tail was cut, or a backup was restored.",
        )
    if (kept.size, kept.root) != (size, current_root):
        check_tree(size, current_root, kept, using=using)
    return kept


def check_tree(size: int, current_root: bytes, kept: Checkpoint | None, *, using: str) -> None:
    """Recompute the tree's root, and the one that it had at a checkpoint; raises `Rewound`."""
    nodes = [*root_nodes(size), *(root_nodes(kept.size) if kept else ())]
    try:
        hashes = StoredHashes(nodes, using=using)
        fits = root(hashes, size) == current_root
        began_so = kept is None or root(hashes, kept.size) == kept.root
    except MissingHash as missing:
        raise Rewound("tiles", f"The tree is not whole: {missing}") from missing
    if not began_so and kept is not None:
        raise Rewound(
            "rewritten",
            f"The sealed events do not begin with the {kept.size} of the checkpoint kept outside of the "
            "database: they were rewritten, or a backup was restored and written on.",
        )
    if not fits:
        raise Rewound("tiles", "The tree's tiles do not have the root that the log says it has.")


def _opened(
    note: str,
    origin: str,
    keys: Callable[[], Iterable[VerifierKey]],
    size: int,
    current_root: bytes,
) -> Checkpoint:
    try:
        said = read_checkpoint(read_note(note).text)
        if said.origin != origin:
            raise Unvouched(
                f"The checkpoint in {outside.path()} is of the log {said.origin} and the database's is "
                f"{origin}: if the log was begun anew, let this machine take it up with audit_log adopt."
            )
        # What says the same as the database accuses nobody, signed or not.
        return said if said[1:] == (size, current_root) else opened(note, keys())
    except NoteNotValid as wrong:
        raise Unvouched(f"The checkpoint in {outside.path()} is not valid: {wrong}") from wrong

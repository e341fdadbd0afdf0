"""The log as C2SP tlog-tiles serves it: checkpoint, tiles of hashes, bundles of entries. Reads only.

Nothing is served that no checkpoint covers: what is placed and not signed yet may still be taken back by a restored
backup, and these addresses are cached for good.
"""

from audit.errors import NotFound
from audit.merkle.hashing import HASH_BYTES
from audit.merkle.stored import tiles
from audit.merkle.tile_paths import Wanted
from audit.merkle.tiles import WIDTH, TileName
from audit.services.checkpoints import NoCheckpoint, newest_checkpoint
from audit.services.cosigned import with_its_cosignatures
from audit.streaming.batches import entries

_LENGTH_BYTES = 2


class NoTile(NotFound):
    """No checkpoint covers such a tile, or so much of it."""

    code = "no_tile"


class EntriesGone(NotFound):
    """Bodies of the bundle are kept no longer, or were deleted."""

    code = "entries_gone"


def checkpoint_note() -> str:
    """The newest checkpoint as it was signed, and cosigned so far; raises `NoCheckpoint`."""
    newest = newest_checkpoint()
    if newest is None:
        raise NoCheckpoint("The log has no checkpoint yet; ask again in a moment.")
    return with_its_cosignatures(newest).note


def tile_data(wanted: Wanted | None) -> bytes:
    """The first `width` hashes of a tile, 32 bytes each; raises `NoTile`."""
    wanted = _covered(wanted)
    name = TileName(wanted.level, wanted.n)
    data = tiles([name]).get(name, b"")[: wanted.width * HASH_BYTES]
    if len(data) != wanted.width * HASH_BYTES:
        raise NoTile("This tile is not whole in the database: audit_fsck says more.")
    return data


def bundle_data(wanted: Wanted | None) -> bytes:
    """The first `width` entries of a bundle, each after its length in two bytes, big-endian.

    Raises `NoTile`, and `EntriesGone` where one of them is not there: a bundle with a gap would not hash to its tile.
    """
    wanted = _covered(wanted)
    first = wanted.n * WIDTH
    found = entries(first, first + wanted.width)
    if len(found) != wanted.width:
        raise NoTile("The log lacks a leaf of this bundle: audit_fsck says which.")
    pieces = []
    for entry in found:
        if entry.body is None:
            why = (
                "was dropped with its month, after its time"
                if entry.why == "retention"
                else "is not there, though its month was not dropped: audit_fsck says more"
            )
            raise EntriesGone(
                f"The body of the event at {entry.index} {why}. Its leaf hash stands in the tile.",
                params={"index": entry.index, "why": entry.why},
            )
        pieces += [len(entry.body).to_bytes(_LENGTH_BYTES), entry.body]
    return b"".join(pieces)


def _covered(wanted: Wanted | None) -> Wanted:
    newest = newest_checkpoint()
    if wanted is None or newest is None or not wanted.fits(newest.size):
        raise NoTile("There is no such tile under the newest checkpoint.")
    return wanted

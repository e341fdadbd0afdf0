"""The tree's hashes in tiles (C2SP tlog-tiles): 256 hashes of one level a tile, every eighth level.

Tile `n` of level `l` holds the nodes of level `8 * l` from `256 * n` on. Only the last tile of a level is
partial. All hashes of the levels between are computed from it, and every hash of the tree is read from
one tile.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from audit.merkle.hashing import HASH_BYTES
from audit.merkle.proofs import Node, folded

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
FULL_BYTES: Final = WIDTH * HASH_BYTES


class TileName(NamedTuple):
    """Level and number of a tile."""

    level: int
    n: int


class Place(NamedTuple):
    """Where a node's hash is found: `width` hashes (a power of two) of a tile, from `first` on."""

    tile: TileName
    first: int
    width: int


class MissingHash(Exception):
    """A tile is not there, or holds fewer hashes than the size of the tree says."""

    def __init__(self, tile: TileName) -> None:
        super().__init__(f"Tile {tile.n} of level {tile.level} is missing or too short.")
        self.tile = tile


def place_of(node: Node) -> Place:
    """The tile that holds a node, and the hashes in it that the node stands over."""
    width = 1 << (node.level % HEIGHT)
    first = node.at * width
    return Place(TileName(node.level // HEIGHT, first // WIDTH), first % WIDTH, width)


def hash_in(data: bytes, place: Place) -> bytes:
    """The node's 32 bytes from its tile's; raises `MissingHash` where the tile is too short."""
    hashes = hashes_of(data)[place.first : place.first + place.width]
    if len(hashes) != place.width:
        raise MissingHash(place.tile)
    return folded(hashes)


class TileHashes:
    """Hashes of complete subtrees, from tiles in memory (`audit.merkle.proofs.Hashes`)."""

    def __init__(self, tiles: Mapping[TileName, bytes]) -> None:
        self._tiles = tiles

    def node(self, level: int, index: int) -> bytes:
        place = place_of(Node(level, index))
        data = self._tiles.get(place.tile)
        if data is None:
            raise MissingHash(place.tile)
        return hash_in(data, place)


def hashes_of(data: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def widths(size: int) -> Iterator[tuple[int, int]]:
    """Level and number of hashes of every level that has tiles, in a tree of this size."""
    level = 0
    while size >> (HEIGHT * level):
        yield level, size >> (HEIGHT * level)
        level += 1


def edge_of(size: int) -> list[TileName]:
    """The partial tiles of a tree of this size: those that grow with it."""
    return [TileName(level, width // WIDTH) for level, width in widths(size) if width % WIDTH]


def extended(
    size: int, edge: Mapping[TileName, bytes], leaf_hashes: Sequence[bytes]
) -> dict[TileName, bytes]:
    """The tiles that are new or changed when leaves join a tree of `size`, whose partial tiles are `edge`.

    Raises `MissingHash` where `edge` does not hold what a tree of this size has.
    """
    changed: dict[TileName, bytes] = {}
    level, added = 0, list(leaf_hashes)
    while added:
        width = size >> (HEIGHT * level)
        name = TileName(level, width // WIDTH)
        data = edge.get(name, b"")
        if len(data) != (width % WIDTH) * HASH_BYTES:
            raise MissingHash(name)
        joined = data + b"".join(added)
        added = []
        for at in range(0, len(joined), FULL_BYTES):
            tile = joined[at : at + FULL_BYTES]
            changed[TileName(level, name.n + at // FULL_BYTES)] = tile
            if len(tile) == FULL_BYTES:
                added.append(folded(hashes_of(tile)))
        level += 1
    return changed

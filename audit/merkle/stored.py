"""The tree as it is stored: hashes read from tiles in the database, a batch of tiles in one statement."""

from collections.abc import Iterable

from django.db import connections

from audit.merkle.proofs import Node
from audit.merkle.tiles import TileHashes, TileName, place_of

_TILES = """
SELECT tile.level, tile.n, tile.data FROM audit_tile AS tile
JOIN unnest(%s::smallint[], %s::bigint[]) AS wanted (level, n) USING (level, n)
"""


def tiles(names: Iterable[TileName], *, using: str = "default") -> dict[TileName, bytes]:
    """Those of the tiles that there are, in one statement; none where no name is given."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    with connections[using].cursor() as cursor:
        cursor.execute(_TILES, [[name.level for name in wanted], [name.n for name in wanted]])
        return {TileName(level, n): bytes(data) for level, n, data in cursor.fetchall()}


class StoredHashes:
    """Hashes of complete subtrees, from the tile table.

    Give `load` what a proof will read (`inclusion_nodes` and the like) and it is one statement; what was
    not loaded is read tile by tile. Raises `MissingHash` for what the tiles do not hold. For one
    transaction: a tile that was read is not read again.
    """

    def __init__(self, nodes: Iterable[Node] = (), *, using: str = "default") -> None:
        self._using = using
        self._tiles: dict[TileName, bytes] = {}
        self.load(nodes)

    def load(self, nodes: Iterable[Node]) -> None:
        """Read the tiles of these nodes."""
        names = {place_of(node).tile for node in nodes}
        self._tiles |= tiles(names - self._tiles.keys(), using=self._using)

    def node(self, level: int, index: int) -> bytes:
        node = Node(level, index)
        if place_of(node).tile not in self._tiles:
            self.load([node])
        return TileHashes(self._tiles).node(*node)

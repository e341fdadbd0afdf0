"""A tree that is built leaf by leaf in a few hashes of memory: its root at every size, and its tiles."""

from collections.abc import Iterator

from audit.merkle.hashing import EMPTY_ROOT, node_hash
from audit.merkle.proofs import folded
from audit.merkle.tiles import WIDTH, TileName


class Growing:
    """The roots of the complete subtrees of which the tree is made, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def add(self, leaf_hash: bytes) -> None:
        """Append a leaf."""
        reached, left = leaf_hash, self.size
        while left & 1:
            reached, left = node_hash(self._subtrees.pop(), reached), left >> 1
        self._subtrees.append(reached)
        self.size += 1

    def root(self) -> bytes:
        """The root over the leaves so far."""
        if not self._subtrees:
            return EMPTY_ROOT
        *larger, reached = self._subtrees
        for subtree in reversed(larger):
            reached = node_hash(subtree, reached)
        return reached


class GrowingTiles:
    """The tiles of a tree that is built leaf by leaf, each handed out once it is full."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = []
        self._done: list[int] = []

    def add(self, leaf_hash: bytes) -> Iterator[tuple[TileName, bytes]]:
        """Append a leaf; yields the tiles that it filled."""
        level, reached = 0, leaf_hash
        while True:
            if level == len(self._levels):
                self._levels.append([])
                self._done.append(0)
            hashes = self._levels[level]
            hashes.append(reached)
            if len(hashes) < WIDTH:
                return
            yield TileName(level, self._done[level]), b"".join(hashes)
            reached = folded(hashes)
            self._levels[level] = []
            self._done[level] += 1
            level += 1

    def partial(self) -> Iterator[tuple[TileName, bytes]]:
        """The tiles at the edge, which are not full."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                yield TileName(level, self._done[level]), b"".join(hashes)

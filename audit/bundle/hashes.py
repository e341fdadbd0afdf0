"""The stored hashes that the proofs of one batch of events need, read together and then let go."""

from collections.abc import Iterator, Sequence

from audit.bundle.proof_lines import subtrees
from audit.merkle.proofs import Node
from audit.merkle.stored import StoredHashes


class BatchOfHashes:
    """Reads a batch's hashes in one statement; what was not prepared is read when it is asked for."""

    def __init__(self) -> None:
        self._stored = StoredHashes()

    def prepare(self, position: int, indexes: Sequence[int]) -> None:
        """The next leaves are these; those before `position` were there already."""
        self._stored = StoredHashes(_between(position, indexes))

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree."""
        return self._stored.node(level, index)


def _between(position: int, indexes: Sequence[int]) -> Iterator[Node]:
    for index in indexes:
        for level, at in subtrees(position, index):
            yield Node(level, at)
        position = index + 1

"""The proofs of an export: for any choice of leaves, no hash stands twice and none is missing.

The leaves that are in the export and, in place of everything between them, the hashes of the largest
complete subtrees there: read from left to right they give the tree's root (RFC 6962, section 2.1). A
contiguous range takes the hashes at its two borders and no more.
"""

from collections.abc import Iterator
from typing import Protocol

from audit.verifier.verify import CONSISTENCY, PROOFS


class Nodes(Protocol):
    """The stored hashes of a tree."""

    def node(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree of 2**level leaves that is number `index` of its level."""
        ...


class ProofLines:
    """Writes the file `proofs`, told of the leaves in order."""

    def __init__(self, nodes: Nodes, size: int) -> None:
        self._nodes, self._size = nodes, size
        self._at = self._run = 0

    def header(self) -> bytes:
        """The two lines that stand first."""
        return f"{PROOFS}\nsize {self._size}\n".encode()

    def leaf(self, index: int) -> bytes:
        """The leaf `index` is in the export; returns the lines that are due before it."""
        lines = b""
        if index != self._at:
            lines = self._up_to(index)
        self._at, self._run = index + 1, self._run + 1
        return lines

    def end(self) -> bytes:
        """The lines that are due after the last leaf."""
        return self._up_to(self._size)

    def _up_to(self, end: int) -> bytes:
        if end < self._at:
            raise ValueError(f"Leaf {end} comes after leaf {self._at - 1}.")
        lines = [f"leaves {self._run}\n"] if self._run else []
        for level, index in subtrees(self._at, end):
            lines.append(f"node {level} {self._nodes.node(level, index).hex()}\n")
        self._run = 0
        return "".join(lines).encode()


def subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The fewest complete subtrees, as (level, index), that cover the leaves from `start` to before `end`."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def consistency_file(old: int, new: int, proof: list[bytes]) -> bytes:
    """The file `consistency/<old>`: a proof of RFC 9162, section 2.1.4, a hash a line."""
    lines = [CONSISTENCY, f"old {old}", f"new {new}", *(each.hex() for each in proof)]
    return ("\n".join(lines) + "\n").encode()

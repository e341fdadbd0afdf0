"""Roots and proofs of the tree, made and checked (RFC 9162, sections 2.1.1, 2.1.3 and 2.1.4).

Whoever makes a proof reads hashes of complete subtrees; `Node` names one, and the functions that end in
`_nodes` say beforehand which will be read, so that a store can fetch them together.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from audit.merkle.hashing import EMPTY_ROOT, HASH_BYTES, node_hash


class Node(NamedTuple):
    """The complete subtree over the leaves from `at * 2**level` to `(at + 1) * 2**level`."""

    level: int
    at: int


class Span(NamedTuple):
    """The leaves from `start` (included) to `end` (excluded), as one subtree of a larger tree."""

    start: int
    end: int


class Hashes(Protocol):
    """A reader of the hashes of complete subtrees."""

    def node(self, level: int, index: int) -> bytes:
        """The 32 bytes of the subtree's root."""
        ...


class ProofDoesNotFit(Exception):
    """A proof does not lead from what it was given to the root that it must reach."""


class Known:
    """Hashes that were fetched beforehand."""

    def __init__(self, hashes: Mapping[Node, bytes]) -> None:
        self._hashes = hashes

    def node(self, level: int, index: int) -> bytes:
        return self._hashes[Node(level, index)]


class Leaves:
    """A small tree in memory, by its leaf hashes; each subtree is computed when it is asked for."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self._leaves = leaf_hashes

    def node(self, level: int, index: int) -> bytes:
        return folded(self._leaves[index << level : (index + 1) << level])


def folded(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes whose number is a power of two."""
    while len(hashes) > 1:
        hashes = [
            node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)
        ]
    return hashes[0]


def root(hashes: Hashes, size: int) -> bytes:
    """The tree's root at this size: MTH(D_n)."""
    if size < 0:
        raise ValueError(f"A tree has no size of {size}.")
    return _of_span(hashes, Span(0, size)) if size else EMPTY_ROOT


def inclusion(hashes: Hashes, index: int, size: int) -> list[bytes]:
    """PATH(m, D_n): the hashes that lead from leaf `index` to the root at `size`, lowest first."""
    return [_of_span(hashes, span) for span in _inclusion_spans(index, size)]


def consistency(hashes: Hashes, old: int, new: int) -> list[bytes]:
    """PROOF(m, D_n): the hashes that show that the tree of size `new` begins with that of size `old`.

    Empty where `old` is 0 or equal to `new`: there is nothing to show.
    """
    return [_of_span(hashes, span) for span in _consistency_spans(old, new)]


def root_nodes(size: int) -> list[Node]:
    """What `root` reads: the complete subtrees of which a tree of this size is made, largest first."""
    return _nodes_of(Span(0, size))


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """What `inclusion` reads."""
    return [node for span in _inclusion_spans(index, size) for node in _nodes_of(span)]


def consistency_nodes(old: int, new: int) -> list[Node]:
    """What `consistency` reads."""
    return [node for span in _consistency_spans(old, new) for node in _nodes_of(span)]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); compare it with a signed one.

    Raises `ProofDoesNotFit` for a proof that has too few or too many hashes for this place.
    """
    if not 0 <= index < size:
        raise ProofDoesNotFit(f"A tree of {size} leaves has no leaf {index}.")
    _check_hashes(leaf, *proof)
    place, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofDoesNotFit("The inclusion proof is too long.")
        if place & 1 or place == last:
            reached = node_hash(sibling, reached)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofDoesNotFit("The inclusion proof is too short.")
    return reached


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check a consistency proof (RFC 9162, 2.1.4.2); raises `ProofDoesNotFit`."""
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old <= new:
        raise ProofDoesNotFit(f"A tree of {new} leaves does not begin with {old}.")
    if old in (0, new):
        _verify_trivial(old, old_root, new_root, proof)
        return
    # A tree whose size is a power of two is itself the first hash of the proof.
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise ProofDoesNotFit("The consistency proof is empty.")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    reached_old = reached_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofDoesNotFit("The consistency proof is too long.")
        if place & 1 or place == last:
            reached_old = node_hash(sibling, reached_old)
            reached_new = node_hash(sibling, reached_new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            reached_new = node_hash(reached_new, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofDoesNotFit("The consistency proof is too short.")
    if reached_old != old_root:
        raise ProofDoesNotFit(f"The consistency proof does not lead to the root at {old}.")
    if reached_new != new_root:
        raise ProofDoesNotFit(f"The consistency proof does not lead to the root at {new}.")


def _verify_trivial(old: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    if proof:
        raise ProofDoesNotFit("The consistency proof is too long: there is nothing to show.")
    if old_root != (new_root if old else EMPTY_ROOT):
        raise ProofDoesNotFit(f"Two different roots are given for the size {old}.")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofDoesNotFit("A hash does not have 32 bytes.")


def _of_span(hashes: Hashes, span: Span) -> bytes:
    *larger, smallest = _nodes_of(span)
    reached = hashes.node(*smallest)
    for node in reversed(larger):
        reached = node_hash(hashes.node(*node), reached)
    return reached


def _nodes_of(span: Span) -> list[Node]:
    """The complete subtrees of a span that begins at a multiple of the power of two not below its length."""
    nodes, start = [], span.start
    while start < span.end:
        level = (span.end - start).bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def _split(span: Span) -> tuple[Span, Span]:
    """Left and right of the span's root: the left one has the largest power of two below its length."""
    middle = span.start + (1 << (span.end - span.start - 1).bit_length() - 1)
    return Span(span.start, middle), Span(middle, span.end)


def _inclusion_spans(index: int, size: int) -> list[Span]:
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}.")
    siblings, within = [], Span(0, size)
    while within.end - within.start > 1:
        left, right = _split(within)
        within, sibling = (left, right) if index < left.end else (right, left)
        siblings.append(sibling)
    return siblings[::-1]


def _consistency_spans(old: int, new: int) -> list[Span]:
    if not 0 <= old <= new:
        raise ValueError(f"A tree of {new} leaves does not begin with {old}.")
    if old in (0, new):
        return []
    siblings, within = [], Span(0, new)
    while within.end != old:
        left, right = _split(within)
        within, sibling = (left, right) if old <= left.end else (right, left)
        siblings.append(sibling)
    # What is reached is the old tree itself where it begins at the left: its root is known already.
    return ([within] if within.start else []) + siblings[::-1]

"""Hashes, proofs and tiles of the tree: published vectors, the definition itself, and other people's code."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as theirs_consistency
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError

from audit.merkle.hashing import EMPTY_ROOT, HASH_BYTES, leaf_hash, node_hash
from audit.merkle.proofs import (
    Known,
    Leaves,
    Node,
    ProofDoesNotFit,
    consistency,
    consistency_nodes,
    inclusion,
    inclusion_nodes,
    root,
    root_from_inclusion,
    root_nodes,
    verify_consistency,
)
from audit.merkle.tiles import (
    FULL_BYTES,
    WIDTH,
    MissingHash,
    TileHashes,
    TileName,
    edge_of,
    extended,
    hash_in,
    place_of,
)
from tests.audit.merkle_vectors import (
    CONSISTENCY,
    DRAWN_CONSISTENCY,
    DRAWN_INCLUSION,
    INCLUSION,
    LEAVES,
    NODES,
    ROOTS,
    drawn,
)

SMALL = st.lists(st.binary(max_size=8), min_size=1, max_size=80)
KNOWN = Leaves([leaf_hash(body) for body in LEAVES])


def defined_root(bodies: list[bytes]) -> bytes:
    """MTH as RFC 9162, 2.1.1 writes it, by recursion over the bodies."""
    if not bodies:
        return EMPTY_ROOT
    if len(bodies) == 1:
        return leaf_hash(bodies[0])
    k = 1 << (len(bodies) - 1).bit_length() - 1
    return node_hash(defined_root(bodies[:k]), defined_root(bodies[k:]))


def defined_path(m: int, bodies: list[bytes]) -> list[bytes]:
    """PATH as RFC 9162, 2.1.3.1 writes it."""
    if len(bodies) == 1:
        return []
    k = 1 << (len(bodies) - 1).bit_length() - 1
    if m < k:
        return [*defined_path(m, bodies[:k]), defined_root(bodies[k:])]
    return [*defined_path(m - k, bodies[k:]), defined_root(bodies[:k])]


def defined_subproof(m: int, bodies: list[bytes], is_whole: bool) -> list[bytes]:
    """SUBPROOF as RFC 9162, 2.1.4.1 writes it."""
    if m == len(bodies):
        return [] if is_whole else [defined_root(bodies)]
    k = 1 << (len(bodies) - 1).bit_length() - 1
    if m <= k:
        return [*defined_subproof(m, bodies[:k], is_whole), defined_root(bodies[k:])]
    return [*defined_subproof(m - k, bodies[k:], False), defined_root(bodies[:k])]


def tree_of(bodies: list[bytes]) -> Leaves:
    return Leaves([leaf_hash(body) for body in bodies])


def test_the_published_hashes_and_roots_are_ours() -> None:
    assert [leaf_hash(body) for body in LEAVES] == NODES[0]
    for below, level in pairwise(NODES):
        assert [node_hash(*pair) for pair in zip(below[::2], below[1::2], strict=True)] == level
    assert [root(KNOWN, size) for size in range(9)] == ROOTS


def test_the_published_inclusion_proofs_are_ours() -> None:
    for (index, size), proof in INCLUSION.items():
        assert inclusion(KNOWN, index, size) == proof
        assert root_from_inclusion(NODES[0][index], index, size, proof) == ROOTS[size]


def test_the_published_consistency_proofs_are_ours() -> None:
    for (old, new), proof in CONSISTENCY.items():
        assert consistency(KNOWN, old, new) == proof
        verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)


def test_the_proofs_that_the_rfc_draws_are_ours() -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(7)]
    tree, named = Leaves(leaves), drawn(leaves)
    for index, proof in DRAWN_INCLUSION.items():
        assert inclusion(tree, index, 7) == [named[name] for name in proof]
    for (old, new), proof in DRAWN_CONSISTENCY.items():
        assert consistency(tree, old, new) == [named[name] for name in proof]


@given(SMALL, st.data())
def test_roots_and_proofs_are_what_the_rfc_defines(
    bodies: list[bytes], data: st.DataObject
) -> None:
    tree, size = tree_of(bodies), len(bodies)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert root(tree, size) == defined_root(bodies)
    path = inclusion(tree, index, size)
    assert path == defined_path(index, bodies)
    assert root_from_inclusion(leaf_hash(bodies[index]), index, size, path) == root(tree, size)
    proof = consistency(tree, old, size)
    assert proof == defined_subproof(old, bodies, True)
    verify_consistency(old, defined_root(bodies[:old]), size, root(tree, size), proof)


def test_every_proof_of_every_small_tree_verifies() -> None:
    bodies = [bytes([number]) for number in range(40)]
    tree = tree_of(bodies)
    roots = [root(tree, size) for size in range(41)]
    for size in range(41):
        for index in range(size):
            path = inclusion(tree, index, size)
            assert root_from_inclusion(leaf_hash(bodies[index]), index, size, path) == roots[size]
        for old in range(size + 1):
            verify_consistency(old, roots[old], size, roots[size], consistency(tree, old, size))


@given(SMALL, st.data())
def test_a_proof_that_was_touched_does_not_verify(bodies: list[bytes], data: st.DataObject) -> None:
    tree, size = tree_of(bodies), len(bodies)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(tree, index, size)
    leaf, whole = leaf_hash(bodies[index]), root(tree, size)
    assert not leads_to(whole, bytes([leaf[0] ^ 1]) + leaf[1:], index, size, path)
    for at in range(len(path)):
        changed = [*path[:at], bytes([path[at][0] ^ 1]) + path[at][1:], *path[at + 1 :]]
        assert not leads_to(whole, leaf, index, size, changed)
        assert not leads_to(whole, leaf, index, size, path[:at])
    assert not leads_to(whole, leaf, index, size, [*path, bytes(HASH_BYTES)])
    assert not leads_to(whole, leaf, size, size, path)


def leads_to(whole: bytes, leaf: bytes, index: int, size: int, path: list[bytes]) -> bool:
    try:
        return root_from_inclusion(leaf, index, size, path) == whole
    except ProofDoesNotFit:
        return False


@given(SMALL, st.data())
def test_a_tree_that_was_rewritten_is_not_consistent(
    bodies: list[bytes], data: st.DataObject
) -> None:
    size = len(bodies)
    old = data.draw(st.integers(1, size))
    tree = tree_of(bodies)
    old_root, new_root, proof = root(tree, old), root(tree, size), consistency(tree, old, size)
    other = bytes([old_root[0] ^ 1]) + old_root[1:]
    wrong: list[tuple[bytes, bytes, list[bytes]]] = [
        (other, new_root, proof),
        (old_root, other, proof),
        (old_root, new_root, [*proof, other]),
        *((old_root, new_root, proof[:at]) for at in range(len(proof))),
        *(
            (old_root, new_root, [*proof[:at], other, *proof[at + 1 :]])
            for at in range(len(proof))
            if proof[at] != other
        ),
    ]
    for given_old, given_new, given_proof in wrong:
        with pytest.raises(ProofDoesNotFit):
            verify_consistency(old, given_old, size, given_new, given_proof)


def test_what_no_tree_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        inclusion(KNOWN, 3, 3)
    with pytest.raises(ValueError, match="does not begin with 4"):
        consistency(KNOWN, 4, 3)
    with pytest.raises(ValueError, match="no size of -1"):
        root(KNOWN, -1)
    with pytest.raises(ProofDoesNotFit, match="does not begin with 4"):
        verify_consistency(4, ROOTS[4], 3, ROOTS[3], [])
    with pytest.raises(ProofDoesNotFit, match="is empty"):
        verify_consistency(3, ROOTS[3], 8, ROOTS[8], [])
    with pytest.raises(ProofDoesNotFit, match="32 bytes"):
        root_from_inclusion(b"short", 0, 1, [])


@given(SMALL, st.data())
def test_pymerkle_finds_the_same_roots_and_proofs(bodies: list[bytes], data: st.DataObject) -> None:
    theirs = InmemoryTree(algorithm="sha256")
    for body in bodies:
        theirs.append_entry(body)
    tree, size = tree_of(bodies), len(bodies)
    old = data.draw(st.integers(1, size))
    assert theirs.get_root(size) == root(tree, size)
    assert theirs.get_root(old) == root(tree, old)
    theirs_consistency(root(tree, old), root(tree, size), theirs.prove_consistency(old, size))


@given(SMALL, st.data())
def test_sigstore_accepts_our_inclusion_proofs(bodies: list[bytes], data: st.DataObject) -> None:
    tree, size = tree_of(bodies), len(bodies)
    index = data.draw(st.integers(0, size - 1))
    proof = SimpleNamespace(
        log_index=index,
        tree_size=size,
        hashes=inclusion(tree, index, size),
        root_hash=root(tree, size),
    )
    entry = SimpleNamespace(
        _inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=bodies[index])
    )
    verify_merkle_inclusion(entry)  # type: ignore[arg-type]
    entry._inner.canonicalized_body += b"."
    with pytest.raises(VerificationError):
        verify_merkle_inclusion(entry)  # type: ignore[arg-type]


class Tiled:
    """A tree that is read from its tiles."""

    def __init__(self) -> None:
        self.size = 0
        self.tiles: dict[TileName, bytes] = {}

    def extend(self, leaves: list[bytes]) -> None:
        edge = {name: self.tiles[name] for name in edge_of(self.size)}
        self.tiles |= extended(self.size, edge, leaves)
        self.size += len(leaves)

    def node(self, level: int, index: int) -> bytes:
        return TileHashes(self.tiles).node(level, index)


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6), st.data())
def test_tiles_hold_the_tree_however_it_grew(grown_by: list[int], data: st.DataObject) -> None:
    total = sum(grown_by)
    leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(total)]
    tiled, plain = Tiled(), Leaves(leaves)
    for number in grown_by:
        tiled.extend(leaves[tiled.size : tiled.size + number])
    assert root(tiled, total) == root(plain, total)
    index, old = data.draw(st.integers(0, total - 1)), data.draw(st.integers(1, total))
    assert inclusion(tiled, index, total) == inclusion(plain, index, total)
    assert consistency(tiled, old, total) == consistency(plain, old, total)


def test_the_tiles_of_seventy_thousand_leaves_are_those_of_the_specification() -> None:
    """The example of c2sp.org/tlog-tiles."""
    tiled = Tiled()
    tiled.extend([leaf_hash(number.to_bytes(4, "big")) for number in range(70_000)])
    widths = {
        level: [
            len(tiled.tiles[name]) // HASH_BYTES for name in sorted(tiled.tiles) if name[0] == level
        ]
        for level in range(3)
    }
    assert widths == {0: [WIDTH] * 273 + [112], 1: [WIDTH, 17], 2: [1]}
    assert len(tiled.tiles) == 277


def test_a_full_tile_begins_one_above_it() -> None:
    tiled = Tiled()
    tiled.extend([leaf_hash(bytes([number])) for number in range(256)])
    assert {name: len(data) for name, data in tiled.tiles.items()} == {
        TileName(0, 0): FULL_BYTES,
        TileName(1, 0): HASH_BYTES,
    }
    assert tiled.tiles[TileName(1, 0)] == root(tiled, 256)


def test_a_tile_that_is_too_short_is_not_extended_and_not_read() -> None:
    with pytest.raises(MissingHash, match="Tile 0 of level 0"):
        extended(3, {TileName(0, 0): bytes(64)}, [bytes(32)])
    with pytest.raises(MissingHash, match="Tile 0 of level 0"):
        hash_in(bytes(64), place_of(Node(1, 1)))
    with pytest.raises(MissingHash, match="Tile 1 of level 0"):
        TileHashes({}).node(0, 256)


@given(st.integers(1, 300), st.data())
def test_what_will_be_read_is_known_beforehand(size: int, data: st.DataObject) -> None:
    tree = Leaves([leaf_hash(number.to_bytes(2, "big")) for number in range(size)])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    known = {
        node: tree.node(*node)
        for nodes in (
            root_nodes(size),
            inclusion_nodes(index, size),
            consistency_nodes(old, size),
        )
        for node in nodes
    }
    read = Known(known)
    assert root(read, size) == root(tree, size)
    assert inclusion(read, index, size) == inclusion(tree, index, size)
    assert consistency(read, old, size) == consistency(tree, old, size)

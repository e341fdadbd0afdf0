"""Roots and proofs: published vectors, other people's code, and every choice of leaves leads to the same root."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle import verify_consistency as theirs_consistency

from audit.bundle.proof_lines import ProofLines, subtrees
from audit.verifier.verify import Tree, consistent, leaf_hash
from tests.audit.merkle_vectors import CONSISTENCY, DRAWN_CONSISTENCY, LEAVES, ROOTS, drawn
from tests.audit.verifier.logbook import Log, consistency, sha256, tree_hash

SIZES = st.integers(1, 70)


def some_leaves(count: int) -> list[bytes]:
    return [sha256(bytes([number])) for number in range(count)]


def test_the_published_roots_come_out() -> None:
    tree = Tree()
    assert tree.root() == sha256(b"")
    for body, root in zip(LEAVES, ROOTS[1:], strict=True):
        tree.add(0, leaf_hash(body))
        assert tree.root() == root


def test_the_published_proofs_of_consistency_hold() -> None:
    for (old, new), proof in CONSISTENCY.items():
        assert consistent(old, ROOTS[old], new, ROOTS[new], proof)
        assert not consistent(old, ROOTS[old - 1], new, ROOTS[new], proof)


def test_the_proofs_that_the_rfc_draws_hold() -> None:
    for (old, new), proof in DRAWN_CONSISTENCY.items():
        leaves = [leaf_hash(bytes([number])) for number in range(7)]
        named = drawn(leaves)
        path = [named[name] for name in proof]
        assert consistent(old, tree_hash(leaves[:old]), new, tree_hash(leaves), path)


@given(SIZES, st.data())
def test_pymerkle_proves_what_this_accepts(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    theirs = InmemoryTree(algorithm="sha256")
    tree, old_root = Tree(), b""
    for number in range(size):
        theirs.append_entry(bytes([number]))
        tree.add(0, leaf_hash(bytes([number])))
        old_root = tree.root() if number + 1 == old else old_root
    assert (theirs.get_root(old), theirs.get_root(size)) == (old_root, tree.root())
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    assert consistent(old, old_root, size, tree.root(), consistency(old, leaves))
    theirs_consistency(old_root, tree.root(), theirs.prove_consistency(old, size))


@settings(deadline=None)
@given(SIZES, st.data())
def test_any_choice_of_leaves_with_its_proof_leads_to_the_root(
    size: int, data: st.DataObject
) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    leaves = some_leaves(size)

    class Nodes:
        def node(self, level: int, index: int) -> bytes:
            return tree_hash(leaves[index << level : index + 1 << level])

    lines = ProofLines(Nodes(), size)
    text = lines.header() + b"".join(lines.leaf(index) for index in chosen) + lines.end()
    tree, taken = Tree(), iter(chosen)
    for line in text.decode().splitlines()[2:]:
        word, number, *rest = line.split(" ")
        if word == "leaves":
            for _ in range(int(number)):
                assert tree.size == next(taken)
                tree.add(0, leaves[tree.size])
        else:
            tree.add(int(number), bytes.fromhex(rest[0]))
    assert (tree.size, tree.root()) == (size, tree_hash(leaves))


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_gap_takes_few_hashes(start: int, length: int) -> None:
    found = list(subtrees(start, start + length))
    assert len(found) <= 2 * 41
    at = start
    for level, index in found:
        assert index << level == at
        at += 1 << level
    assert at == start + length


def test_leaves_out_of_order_are_a_mistake() -> None:
    lines = ProofLines(Log(), 10)
    lines.leaf(0)
    with pytest.raises(ValueError, match="comes after"):
        lines.leaf(0)


def test_a_subtree_stands_only_where_it_is_complete() -> None:
    tree = Tree()
    tree.add(0, bytes(32))
    with pytest.raises(ValueError, match=r"^$"):
        tree.add(1, bytes(32))


@settings(deadline=None)
@given(SIZES, st.data())
def test_a_proof_of_consistency_holds_and_a_changed_one_does_not(
    size: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, size))
    leaves = some_leaves(size)
    proof = consistency(old, leaves)
    old_root, root = tree_hash(leaves[:old]), tree_hash(leaves)
    assert consistent(old, old_root, size, root, proof)
    if 0 < old < size:
        assert not consistent(old, sha256(b"other"), size, root, proof)
        assert not consistent(old, old_root, size, sha256(b"other"), proof)
        assert not consistent(old, old_root, size, root, [*proof, bytes(32)])
        assert not consistent(old, old_root, size, root, proof[:-1])
        place = data.draw(st.integers(0, len(proof) - 1))
        changed = [bytes(32) if at == place else each for at, each in enumerate(proof)]
        assert not consistent(old, old_root, size, root, changed)
    assert not consistent(size + 1, root, size, root, [])

"""Roots and proofs: published vectors, and every choice of leaves leads to the same root."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.bundle.proof_lines import ProofLines, subtrees
from audit.verifier.verify import Tree, consistent, leaf_hash
from tests.audit.verifier.logbook import Log, consistency, sha256, tree_hash

# The reference trees of Certificate Transparency (RFC 6962): leaves, and the root after each of them.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
INPUTS.append("606162636465666768696a6b6c6d6e6f")
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 70)


def some_leaves(count: int) -> list[bytes]:
    return [sha256(bytes([number])) for number in range(count)]


def test_the_published_roots_come_out() -> None:
    tree = Tree()
    assert tree.root() == sha256(b"")
    for given_leaf, root in zip(INPUTS, ROOTS, strict=True):
        tree.add(0, leaf_hash(bytes.fromhex(given_leaf)))
        assert tree.root().hex() == root


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

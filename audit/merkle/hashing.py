"""Hashes of the tree (RFC 9162, section 2.1.1; the same as RFC 6962, section 2.1)."""

import hashlib
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """The 32 bytes of a leaf: SHA-256(0x00 ‖ body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32 bytes of an inner node: SHA-256(0x01 ‖ left ‖ right), of two hashes of 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()

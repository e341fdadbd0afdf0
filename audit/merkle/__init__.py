"""The Merkle tree of certificate transparency: hashes, proofs, tiles, signed notes. Pure, but for `stored`."""

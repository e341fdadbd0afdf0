"""Durations in buckets, so that a median of a million is read from a few rows. Pure.

Each bucket is a fifth wider than the one before: what is read from one lies within a tenth of the exact value.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final

_FIRST_MS: Final = 100
_WIDER: Final = 1.2
_LONGEST_MS: Final = 400 * 24 * 3_600_000


def _edges() -> tuple[int, ...]:
    edges = [_FIRST_MS]
    while edges[-1] < _LONGEST_MS:
        edges.append(ceil(edges[-1] * _WIDER))
    return tuple(edges)


#: Milliseconds at which the next bucket begins; what is shorter than the first is in bucket 0.
EDGES: Final = _edges()


def middle_of(bucket: int) -> float:
    """The seconds that a bucket stands for: the middle between its edges."""
    low = EDGES[bucket - 1] if bucket else 0
    high = EDGES[min(bucket, len(EDGES) - 1)]
    return (low + high) / 2_000


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """The seconds that at least this share of the durations does not exceed, within a tenth; None of none.

    As PostgreSQL's `percentile_disc`: the first value at which the running number reaches the share.
    """
    whole = sum(counts.values())
    if not whole:
        return None
    reached = 0
    for bucket in sorted(counts):
        reached += counts[bucket]
        if reached >= share * whole:
            return middle_of(bucket)
    raise AssertionError("the last bucket reaches the whole")

"""Which steps of two runs stand for each other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
#: The places of two steps that stand for each other; None where the other run has none.
Places = tuple[int | None, int | None]


def align(
    one: Sequence[Key], other: Sequence[Key], *, loosely: Callable[[Key], Hashable]
) -> list[Places]:
    """The places of both sequences in pairs, in order; each place stands in exactly one.

    What is equal at both ends is paired, and between them the longest stretches that are (Ratcliff and
    Obershelp, as in difflib). Of the rest, those are paired that are equal `loosely`. Takes time with the
    square of the lengths, at worst more.
    """
    begins = _same(one, other)
    left = min(len(one), len(other)) - begins
    ends = min(_same(one[::-1], other[::-1]), left)
    middle = _between(
        one[begins : len(one) - ends], other[begins : len(other) - ends], loosely=loosely
    )
    return [
        *((place, place) for place in range(begins)),
        *_moved(middle, begins, begins),
        *((len(one) - back, len(other) - back) for back in range(ends, 0, -1)),
    ]


def _same(one: Sequence[Key], other: Sequence[Key]) -> int:
    """How many are equal from the beginning."""
    pairs = zip(one, other, strict=False)
    return next(
        (at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(one), len(other))
    )


def _between(
    one: Sequence[Key], other: Sequence[Key], *, loosely: Callable[[Key], Hashable] | None
) -> Iterator[Places]:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(range(a, b), range(c, d), strict=True)
        elif tag == "replace" and loosely is not None:
            kinds = [loosely(key) for key in one[a:b]], [loosely(key) for key in other[c:d]]
            yield from _moved(_between(*kinds, loosely=None), a, c)
        else:
            yield from ((place, None) for place in range(a, b))
            yield from ((None, place) for place in range(c, d))


def _moved(pairs: Iterator[Places], by: int, other_by: int) -> Iterator[Places]:
    for one, other in pairs:
        yield None if one is None else one + by, None if other is None else other + other_by

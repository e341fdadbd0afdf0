"""Which steps of a long run stand on a page: stretches of equal length, and gaps for those left out. Pure.

Where a stretch begins does not change while the run goes on, so that a page may fetch each by its number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

#: Steps in one window.
SIZE: Final = 15
#: Windows at the end of the run that stand on every page: what changes stands in them.
TAIL: Final = 2


@dataclass(frozen=True)
class Stretch:
    """Windows `number` to `until`, both counted from 1, with the steps `first` to `last`; not `shown`: a gap."""

    number: int
    until: int
    first: int
    last: int
    shown: bool


def window_of(seq: int) -> int:
    """The number of the window that a step stands in."""
    return (max(seq, 1) - 1) // SIZE + 1


def stretch(number: int, newest: int, *, until: int | None = None, shown: bool = True) -> Stretch:
    """The window with that number, or the windows up to another one, of a run whose last step is `newest`."""
    until = until or number
    return Stretch(number, until, (number - 1) * SIZE + 1, min(until * SIZE, newest), shown)


def numbers_shown(newest: int, at: int | None = None, *, tail: bool = False) -> frozenset[int]:
    """The windows of a page: the first, that with the step `at`, and the last ones; `tail`: these alone."""
    last = window_of(newest)
    end = range(max(1, last - TAIL + 1), last + 1)
    asked = () if tail else (1, min(window_of(at), last) if at else 1)
    return frozenset((*asked, *end))


def stretches(newest: int, shown: Collection[int]) -> Iterator[Stretch]:
    """All windows of the run in order: each that is shown, and a gap for those between."""
    after = 0
    for number in sorted(shown):
        if number > after + 1:
            yield stretch(after + 1, newest, until=number - 1, shown=False)
        yield stretch(number, newest)
        after = number


def blocks(parts: Collection[Stretch]) -> list[tuple[int, int]]:
    """The shown windows as first and last steps, joined where they touch."""
    joined: list[tuple[int, int]] = []
    for part in parts:
        if not part.shown:
            continue
        if joined and joined[-1][1] + 1 == part.first:
            joined[-1] = (joined[-1][0], part.last)
        else:
            joined.append((part.first, part.last))
    return joined

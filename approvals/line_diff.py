"""Two texts line by line: what is new, what is gone, and a few lines around it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

AROUND: Final = 2
#: Comparing takes time with the square of it: longer ones stand whole, one after the other.
MOST_COMPARED: Final = 2_000


@dataclass(frozen=True)
class Line:
    """One line of a text: `mark` is `+` for new, `-` for gone, a blank for the same, `…` for left out, or for
    words about it."""

    mark: str
    text: str


def line_by_line(old: Sequence[str], new: Sequence[str]) -> Iterator[Line]:
    """Changed lines with a few around them; `…` where the same goes on."""
    if len(old) + len(new) > MOST_COMPARED:
        yield from (Line("-", text) for text in old)
        yield from (Line("+", text) for text in new)
        return
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    reached = 0
    for group in matcher.get_grouped_opcodes(AROUND):
        if group[0][1] > reached:
            yield Line("…", "")
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (Line(" ", text) for text in old[a:b])
            else:
                yield from (Line("-", text) for text in old[a:b])
                yield from (Line("+", text) for text in new[c:d])
        reached = group[-1][2]
    if reached < len(old):
        yield Line("…", "")

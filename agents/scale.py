"""The time axis of a run's timeline: work is drawn to scale, and long rests are folded. Pure.

A run may work for seconds and wait for days. A stretch in which nothing of the run was at work, and
that is long beside its work, becomes a gap of one small width, however long it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

Span = tuple[datetime, datetime]

WIDTH: Final = 100.0
GAP: Final = 7.0
ALL_GAPS: Final = 45.0
#: A rest longer than this share of all work is folded.
REST_SHARE: Final = 0.2
#: Work that was too short to be seen is drawn this wide.
LEAST: Final = 0.6


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, with those that touch or overlap joined; empty ones are left out."""
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def seconds(spans: Sequence[Span]) -> float:
    """How long the spans are together."""
    return sum((end - start).total_seconds() for start, end in spans)


@dataclass(frozen=True)
class Piece:
    """A stretch of the axis, drawn to scale or folded."""

    span: Span
    to_scale: bool


class Scale:
    """Places moments between 0 and 100."""

    def __init__(self, work: Iterable[Span], start: datetime, end: datetime) -> None:
        """`work` are the spans in which something was done between `start` and `end`."""
        done = merged(work)
        longest_rest = seconds(done) * REST_SHARE
        self._pieces = [
            Piece(span, to_scale=busy or seconds([span]) <= longest_rest)
            for span, busy in _cut(done, start, end)
        ]
        to_scale = seconds([piece.span for piece in self._pieces if piece.to_scale])
        gaps = sum(not piece.to_scale for piece in self._pieces)
        self._gap = min(GAP, ALL_GAPS / gaps) if gaps and to_scale else WIDTH / max(gaps, 1)
        self._per_second = (WIDTH - self._gap * gaps) / to_scale if to_scale else 0.0

    def at(self, moment: datetime) -> float:
        """Where the moment lies, 0 to 100."""
        place = 0.0
        for piece in self._pieces:
            start, end = piece.span
            whole = (end - start).total_seconds()
            width = whole * self._per_second if piece.to_scale else self._gap
            if moment < end:
                return place + width * max(0.0, (moment - start).total_seconds() / whole)
            place += width
        return min(place, WIDTH)

    def bar(self, span: Span) -> tuple[float, float]:
        """Where a span starts and how wide it is; wide enough to be seen, and never beyond the end."""
        x, end = self.at(span[0]), self.at(span[1])
        width = max(end - x, LEAST)
        return min(x, WIDTH - width), width


def _cut(work: Sequence[Span], start: datetime, end: datetime) -> Iterator[tuple[Span, bool]]:
    """The time from `start` to `end` in pieces, each with whether something was done in it."""
    here = start
    for began, ended in work:
        if began > here:
            yield (here, began), False
        yield (max(began, here), ended), True
        here = max(here, ended)
    if end > here:
        yield (here, end), False

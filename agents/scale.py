"""The time axis of a run's timeline: work is drawn to scale, and what lies between is folded. Pure.

A run may work for seconds and wait for days. Each stretch in which nothing of the run was at work
becomes a gap of one small width, however long it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

Span = tuple[datetime, datetime]

WIDTH: Final = 100.0
GAP: Final = 7.0
ALL_GAPS: Final = 45.0
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


class Scale:
    """Places moments between 0 and 100."""

    def __init__(self, work: Iterable[Span], start: datetime, end: datetime) -> None:
        """`work` are the spans drawn to scale; everything else from `start` to `end` is gaps."""
        self._work = merged(work)
        self._pieces = _pieces(self._work, start, end)
        gaps = sum(not is_work for _, _, is_work in self._pieces)
        gap = min(GAP, ALL_GAPS / gaps) if gaps else 0.0
        total = seconds(self._work)
        if total == 0 and gaps:
            gap = WIDTH / gaps
        self._per_second = (WIDTH - gap * gaps) / total if total else 0.0
        self._gap = gap

    def at(self, moment: datetime) -> float:
        """Where the moment lies, 0 to 100."""
        place = 0.0
        for start, end, is_work in self._pieces:
            width = (end - start).total_seconds() * self._per_second if is_work else self._gap
            if moment < end:
                share = (moment - start).total_seconds() / (end - start).total_seconds()
                return place + width * max(0.0, share)
            place += width
        return min(place, WIDTH)

    def bar(self, span: Span) -> tuple[float, float]:
        """Where a span starts and how wide it is; never too narrow to be seen, never beyond the end."""
        x, end = self.at(span[0]), self.at(span[1])
        width = max(end - x, LEAST)
        return min(x, WIDTH - width), width


def _pieces(
    work: Sequence[Span], start: datetime, end: datetime
) -> list[tuple[datetime, datetime, bool]]:
    pieces: list[tuple[datetime, datetime, bool]] = []
    here = start
    for began, ended in work:
        if began > here:
            pieces.append((here, began, False))
        pieces.append((max(began, here), ended, True))
        here = max(here, ended)
    if end > here:
        pieces.append((here, end, False))
    return pieces

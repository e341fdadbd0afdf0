"""Charts as plain geometry, which a template draws as SVG. Pure.

Across, places are in percent of the plot, so that a chart is as wide as its page and its words stay readable; upward
they are in CSS pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

HEIGHT: Final = 160
#: Room below the plot, for the names of columns.
BELOW: Final = 24
#: No more of them are written below the chart.
MOST_LABELS: Final = 6
#: Fewer columns are no wider than these would be: a single day is no wall.
FEWEST_COLUMNS: Final = 7
#: What a column leaves free on either side, as a share of its room.
GAP: Final = 0.14


@dataclass(frozen=True)
class Block:
    """A part of a column; `tone` names its colour."""

    y: float
    height: float
    tone: str


@dataclass(frozen=True)
class Column:
    """All parts of one point. `left` and `room` are where it is pointed at, `x` and `width` where it is drawn."""

    left: float
    room: float
    x: float
    width: float
    about: str
    blocks: list[Block]


@dataclass(frozen=True)
class Label:
    """A name below the chart; every second one is `spare` where there is little room."""

    x: float
    text: str
    spare: bool


@dataclass(frozen=True)
class Bars:
    """Stacked columns in one frame, with the names below; `marks` are (place, number) of the axis from the top down."""

    columns: list[Column]
    labels: list[Label]
    marks: list[tuple[float, int]]
    plot: int = HEIGHT
    height: int = HEIGHT + BELOW
    text: int = HEIGHT + BELOW - 6


def stacked(columns: Sequence[tuple[str, str, Sequence[tuple[str, int]]]]) -> Bars | None:
    """A column for each (label, about, parts), a part being (tone, number); None where there is nothing to draw."""
    most = max((sum(number for _, number in parts) for _, _, parts in columns), default=0)
    if not most:
        return None
    top = _rounded(most)
    room = 100 / max(len(columns), FEWEST_COLUMNS)
    every = ceil(len(columns) / MOST_LABELS)
    drawn: list[Column] = []
    labels: list[Label] = []
    for place, (label, about, parts) in enumerate(columns):
        left = place * room
        if place % every == 0:
            labels.append(Label(round(left + room / 2, 2), label, bool(place // every % 2)))
        x, width = left + room * GAP, room * (1 - 2 * GAP)
        drawn.append(
            Column(
                *(round(each, 2) for each in (left, room, x, width)),
                about,
                _blocks(parts, HEIGHT / top),
            )
        )
    marks = sorted({0, top // 2, top}, reverse=True)
    return Bars(drawn, labels, [(round(HEIGHT - mark * HEIGHT / top, 1), mark) for mark in marks])


def _blocks(parts: Sequence[tuple[str, int]], scale: float) -> list[Block]:
    blocks, y = [], float(HEIGHT)
    for tone, number in parts:
        if number:
            y -= number * scale
            blocks.append(Block(round(y, 2), round(number * scale, 2), tone))
    return blocks


def _rounded(most: int) -> int:
    """The next number of the kind 1, 2, 4, 6, 8, 10, 20 … at which an axis ends."""
    size: int = 10 ** (len(str(most)) - 1)
    return next(each * size for each in (1, 2, 4, 6, 8, 10) if each * size >= most)

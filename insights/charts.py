"""Charts as plain geometry, which a template draws as SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 180
LEFT: Final = 44
RIGHT: Final = 8
TOP: Final = 8
BOTTOM: Final = 24
#: No more of them are written below the chart.
MOST_LABELS: Final = 6


@dataclass(frozen=True)
class Block:
    """A part of a bar; `tone` names its colour."""

    x: float
    y: float
    width: float
    height: float
    tone: str


@dataclass(frozen=True)
class Bars:
    """Stacked bars in one frame, with the ticks of both axes as (position, text)."""

    blocks: list[Block]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, int]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def stacked(columns: Sequence[tuple[str, Sequence[tuple[str, int]]]]) -> Bars | None:
    """A bar for each (label, parts), a part being (tone, number); None where there is nothing to draw."""
    most = max((sum(number for _, number in parts) for _, parts in columns), default=0)
    if not most:
        return None
    top = _rounded(most)
    step = (WIDTH - LEFT - RIGHT) / len(columns)
    scale = (HEIGHT - TOP - BOTTOM) / top
    every = ceil(len(columns) / MOST_LABELS)
    blocks: list[Block] = []
    ticks: list[tuple[float, str]] = []
    for place, (label, parts) in enumerate(columns):
        x, y = LEFT + place * step, float(HEIGHT - BOTTOM)
        if place % every == 0:
            ticks.append((round(x + step / 2, 1), label))
        for tone, number in parts:
            if number:
                height = number * scale
                y -= height
                blocks.append(
                    Block(
                        round(x + step * 0.1, 2),
                        round(y, 2),
                        round(step * 0.8, 2),
                        round(height, 2),
                        tone,
                    )
                )
    marks = sorted({0, top // 2, top} if top > 1 else {0, 1})
    return Bars(blocks, ticks, [(round(HEIGHT - BOTTOM - mark * scale, 1), mark) for mark in marks])


def _rounded(most: int) -> int:
    """The next number of the kind 1, 2, 4, 6, 8, 10, 20 … at which an axis ends."""
    size: int = 10 ** (len(str(most)) - 1)
    return next(each * size for each in (1, 2, 4, 6, 8, 10) if each * size >= most)

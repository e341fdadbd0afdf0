"""Charts as plain geometry, which a template draws as SVG. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 640, 180
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 26


@dataclass(frozen=True)
class Chart:
    """Two step lines in one frame, with the ticks of both axes as (position, text)."""

    width: int
    height: int
    reviews: str
    unseen: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    left: int
    right: int
    bottom: int


def curve_chart(points: Sequence[Mapping[str, Any]]) -> Chart:
    """The curve over one threshold: reviews, and refused actions that would run unseen."""
    most = max(max(p["reviews"], p["refused_unseen"]) for p in points) or 1

    def x(threshold_bp: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * threshold_bp / 10_000, 1)

    def y(count: int) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / most, 1)

    def line(name: str) -> str:
        return " ".join(f"{x(p['threshold_bp'])},{y(p[name])}" for p in points)

    return Chart(
        width=WIDTH,
        height=HEIGHT,
        reviews=line("reviews"),
        unseen=line("refused_unseen"),
        x_ticks=[(x(bp), f"{bp / 10_000:.1f}") for bp in range(0, 10_001, 2_000)],
        y_ticks=[(y(count), str(count)) for count in sorted({0, most // 2, most})],
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=HEIGHT - BOTTOM,
    )

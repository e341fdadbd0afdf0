"""The line by which people know a run. Pure."""

from __future__ import annotations

TITLE_LENGTH = 120


def title_of(text: str) -> str:
    """A text in one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1]}…"

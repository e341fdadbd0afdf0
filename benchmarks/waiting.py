"""Waiting for something to be so, with an end."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE_SECONDS = 120.0


def until(
    look: Callable[[], Found | None],
    *,
    every_seconds: float = 0.001,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Found:
    """What `look` finds; TimeoutError when it does not come."""
    ends = monotonic() + patience_seconds
    while monotonic() < ends:
        found = look()
        if found:
            return found
        sleep(every_seconds)
    raise TimeoutError(f"waited {patience_seconds:g} s in vain")

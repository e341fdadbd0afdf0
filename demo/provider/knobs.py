"""Trouble on demand: what tests turn to make the next calls go wrong."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Mode = Literal["drop", "delay", "fail", "unavailable"]


@dataclass(frozen=True)
class Trouble:
    """One call's trouble: the first three come after the refund was made, the last instead of it.

    drop: the connection is closed without an answer. delay: the answer comes `seconds` later.
    fail: the answer is 500. unavailable: 503, and nothing was done.
    """

    mode: Mode
    seconds: float = 0.0


@dataclass
class Knobs:
    """The troubles still to come, one per call, in order."""

    _waiting: list[Trouble] = field(default_factory=list)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def turn(self, body: Any) -> str:
        """Take `{"mode", "seconds"?, "times"?}` (or `{}`: no more trouble); returns what is wrong with it."""
        if not isinstance(body, dict) or set(body) - {"mode", "seconds", "times"}:
            return "Send an object with mode, seconds and times."
        mode, seconds, times = body.get("mode"), body.get("seconds", 0), body.get("times", 1)
        if mode is not None and mode not in get_args(Mode):
            return f"mode is one of {', '.join(get_args(Mode))}."
        if not isinstance(seconds, int | float) or not 0 <= seconds <= 600:
            return "seconds is a number from 0 to 600."
        if not isinstance(times, int) or not 0 <= times <= 10_000:
            return "times is a whole number from 0 to 10000."
        with self._mutex:
            self._waiting = [Trouble(mode, float(seconds))] * times if mode is not None else []
        return ""

    def next(self) -> Trouble | None:
        """The trouble that the call at hand meets; each is met once."""
        with self._mutex:
            return self._waiting.pop(0) if self._waiting else None

    def left(self) -> int:
        with self._mutex:
            return len(self._waiting)

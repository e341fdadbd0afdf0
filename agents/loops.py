"""Whether a run goes round in circles: what it does again and again, found in its newest turns. Pure.

A turn is a reply of the model with the calls in it, or a call that no reply asked for. What counts:

* the same tool with the same arguments, three times, whatever came of it;
* a cycle of two to five calls that is gone through a second time with the same results;
* the same error of the same tool in three replies, with no call of that tool done in between;
* six replies in a row in which nothing was done: all was refused, or known already.

A tool may declare that reading the same again is no loop (`repeatable`), up to a number of times. Calls that
cannot be taken at all are the business of `journal.malformed_streak`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

MOST_SAME: Final = 3
LONGEST_CYCLE: Final = 5
MOST_ERRORS: Final = 3
MOST_IDLE: Final = 6

SAME_CALL: Final = "same_call"
CYCLE: Final = "cycle"
SAME_ERROR: Final = "same_error"
NO_PROGRESS: Final = "no_progress"


@dataclass(frozen=True)
class Made:
    """A call as it was made. `digest` is that of tool and arguments; `outcome` what came of it, None while
    nothing has; `error` is empty unless it failed. `repeatable`: how often the same may be read."""

    seq: int
    name: str
    digest: str
    outcome: Any = None
    error: str = ""
    refused: bool = False
    repeatable: int = 0

    @property
    def polls(self) -> bool:
        """Whether making it again is no sign of a loop by itself."""
        return self.repeatable > 0

    @property
    def settled(self) -> bool:
        """Whether something came of it."""
        return self.outcome is not None


Turn = Sequence[Made]
"""The calls of one reply, in order."""


@dataclass(frozen=True)
class Loop:
    """What goes round, with the calls that show it, in order."""

    kind: str
    calls: tuple[Made, ...]


def find_loop(turns: Sequence[Turn]) -> Loop | None:
    """The loop that these turns end in, if they do; oldest turn first."""
    made = [call for turn in turns for call in turn]
    return _same_call(made) or _same_error(turns) or _cycle(made) or _no_progress(turns)


def _same_call(made: Sequence[Made]) -> Loop | None:
    seen: dict[str, list[Made]] = {}
    for call in made:
        again = seen.setdefault(call.digest, [])
        again.append(call)
        if len(again) >= max(MOST_SAME, call.repeatable + 1):
            return Loop(SAME_CALL, tuple(again[-MOST_SAME:]))
    return None


def _same_error(turns: Sequence[Turn]) -> Loop | None:
    """A reply's calls fail alike once: the model has not read yet what was wrong with the first of them."""
    rows: dict[str, dict[str, list[Made]]] = {}
    for turn in turns:
        read: set[tuple[str, str]] = set()
        for call in turn:
            if call.error and (call.name, call.error) not in read:
                read.add((call.name, call.error))
                row = rows.setdefault(call.name, {}).setdefault(call.error, [])
                row.append(call)
                if len(row) >= MOST_ERRORS:
                    return Loop(SAME_ERROR, tuple(row))
            elif call.settled and not call.refused and not call.error:
                rows.pop(call.name, None)
    return None


def _cycle(made: Sequence[Made]) -> Loop | None:
    for period in range(2, LONGEST_CYCLE + 1):
        before, now = made[-2 * period : -period], made[-period:]
        if (
            len(before) == period
            and not all(call.polls for call in now)
            and all(_is_again(one, other) for one, other in zip(before, now, strict=True))
        ):
            return Loop(CYCLE, (*before, *now))
    return None


def _is_again(one: Made, other: Made) -> bool:
    return other.settled and one.digest == other.digest and one.outcome == other.outcome


def _no_progress(turns: Sequence[Turn]) -> Loop | None:
    known: list[Made] = []
    idle: list[Made] = []
    replies = 0
    for turn in turns:
        if turn and not any(call.error for call in turn):
            if all(_is_idle(call, known) for call in turn):
                replies += 1
                idle.extend(turn)
            else:
                replies, idle = 0, []
        known.extend(turn)
    return Loop(NO_PROGRESS, tuple(idle)) if replies >= MOST_IDLE else None


def _is_idle(call: Made, known: Iterable[Made]) -> bool:
    """Whether nothing was done by this call that had not been done before."""
    if call.refused:
        return True
    return not call.polls and any(_is_again(earlier, call) for earlier in known)

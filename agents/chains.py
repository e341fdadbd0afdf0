"""Which model of its chain a run asks next: each is left after too many replies without a usable call. Pure."""

from __future__ import annotations

from agents.journal import CALL_KINDS, MALFORMED, PERSONS_WORD, Journal
from agents.states import StepKind, StepState

MOST_REPAIRS = 2
"""How often in a row one model is told what was wrong with its reply."""


def models_left(journal: Journal, length: int) -> int:
    """How many models of a chain of that length the run has left behind; `length`: none is left to ask.

    A model that was left is not asked again in the run: what it cannot do now it cannot do later. Once the
    chain is through, a person's word begins it anew.
    """
    left = streak = 0
    usable: bool | None = None
    for step in journal.steps:
        if step.kind == StepKind.SIMULATION:
            # Whoever forks a run may have it ask others.
            left, streak, usable = 0, 0, None
        elif step.kind in PERSONS_WORD:
            left, _ = _counted(left, streak, usable)
            left, streak, usable = left if left < length else 0, 0, None
        elif step.kind in CALL_KINDS:
            usable = usable or step.problem not in MALFORMED
        elif step.kind == StepKind.MODEL and step.state == StepState.SUCCEEDED:
            left, streak = _counted(left, streak, usable)
            usable = False
    left, _ = _counted(left, streak, usable)
    return min(left, length)


def _counted(left: int, streak: int, usable: bool | None) -> tuple[int, int]:
    """The count after a reply that held a usable call, or none; None: there was no reply."""
    if usable is None:
        return left, streak
    streak = 0 if usable else streak + 1
    return (left + 1, 0) if streak > MOST_REPAIRS else (left, streak)

"""The words of evaluations: how one stands, how a case turned out, what people decide in a scenario."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

Decision = Literal["approve", "edit", "reject", "send_back", "answer", "wait"]

QUESTION: Final = "question"
"""How scenarios name what an agent asks people in words; everything else is the name of a tool."""
ON_QUESTIONS: Final[tuple[str, ...]] = ("answer", "wait")
ON_CALLS: Final[tuple[str, ...]] = ("approve", "edit", "reject", "send_back", "wait")


class EvaluationState(StrEnum):
    """Where an evaluation stands."""

    RUNNING = "running"
    PASSED = "passed"
    """Every case passed, each time."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process ended before it: nothing is said about the cases that are missing."""


class CaseState(StrEnum):
    """How a case turned out, one time."""

    PLAYING = "playing"
    """Its run is under way, or waits for whoever takes the evaluation up again."""
    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    """It could not be played to its end."""


class Change(StrEnum):
    """What became of a case between two evaluations."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "same"
    ADDED = "added"
    """The other evaluation has no such case, or has not played it."""
    GONE = "gone"

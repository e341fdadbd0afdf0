"""A call that the practice model makes, and those that every agent can make. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ASK, ABSTAIN, FINAL = "ask_human", "abstain", "final_answer"


@dataclass(frozen=True)
class Move:
    """The next call. `arguments` may hold more than the tool takes; what it does not take is left out."""

    tool: str
    arguments: dict[str, Any]
    confidence: float = 0.99
    rationale: str = ""


def abstain(reason: str) -> Move:
    """Say that it cannot be known or done."""
    return Move(ABSTAIN, {"reason": reason})

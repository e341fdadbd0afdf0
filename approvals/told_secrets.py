"""Secrets of tools in what people write: refused, since words of people are kept, shown and never taken back."""

from __future__ import annotations

import json
from typing import Any, Final

from approvals import ports
from approvals.schemas import DecisionIn

SAID: Final = "holds a tool's secret; take it out, since what is written here is kept and shown"
FIELDS: Final = ("answer", "result", "output", "choice", "message", "reason", "typed")


def secrets_told(decision: DecisionIn) -> list[dict[str, Any]]:
    """The fields of a decision that hold one, each with what to do, as `BadBody` takes them."""
    given: dict[str, Any] = {name: getattr(decision, name) for name in FIELDS}
    given |= {f"arguments.{name}": value for name, value in (decision.arguments or {}).items()}
    return [{"field": name, "message": SAID} for name, value in given.items() if holds_one(value)]


def holds_one(value: Any) -> bool:
    """Whether a JSON value holds a secret of a tool, in whatever form."""
    if value is None:
        return False
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return ports.runs().without_secrets(text) != text


def without(text: str) -> str:
    """The text with a mark in place of every secret, for words that are not asked for again."""
    return ports.runs().without_secrets(text)

"""The reason chip that a verdict carries: known, offered for that verdict, and not retired."""

from __future__ import annotations

from approvals.errors import BadBody
from approvals.models import ReasonChip
from approvals.schemas import DecisionIn
from audit.prepared import Prepared

_chip = Prepared(lambda code: ReasonChip.objects.filter(code=code).order_by(), "")


def picked(decision: DecisionIn) -> ReasonChip | None:
    """The chip that was picked; one query where there is one. Raises `BadBody` naming `reason_code`."""
    if decision.reason_code is None:
        return None
    chip = _chip.one(decision.reason_code)
    if chip is None:
        raise BadBody([_error("there is no such reason; pick another, or write one")])
    if chip.retired_at is not None:
        raise BadBody([_error(f"{chip.label}: no longer offered; pick another, or write one")])
    if decision.verdict.value not in chip.verdicts:
        raise BadBody([_error(f"{chip.label}: not offered for {decision.verdict}")])
    return chip


def in_words(label: str, text: str) -> str:
    """A reason as it is told: what was picked, then what was written."""
    return ": ".join(part for part in (label, text.strip()) if part)


def _error(message: str) -> dict[str, str]:
    return {"field": "reason_code", "message": message}

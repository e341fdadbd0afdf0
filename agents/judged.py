"""The gate's word on a call, as the journal keeps it and as it is read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agents.models import Step
from agents.states import StepKind
from approvals.schemas import Confidence, GateContext, GateVerdict, ProposedAction
from approvals.vocabulary import GateOutcome


@dataclass(frozen=True)
class Judged:
    """A proposed action with everything that the gate was told and said."""

    action: ProposedAction
    confidence: Confidence
    context: GateContext
    verdict: GateVerdict

    def stored(self) -> dict[str, Any]:
        """As the journal keeps it."""
        return {
            "action": self.action.model_dump(mode="json"),
            "confidence": self.confidence.model_dump(mode="json"),
            "context": self.context.model_dump(mode="json"),
            "verdict": self.verdict.model_dump(mode="json"),
        }

    @classmethod
    def load(cls, stored: dict[str, Any]) -> Judged:
        """Back from the journal."""
        return cls(
            ProposedAction.model_validate(stored["action"]),
            Confidence.model_validate(stored["confidence"]),
            GateContext.model_validate(stored["context"]),
            GateVerdict.model_validate(stored["verdict"]),
        )


def needs_person(row: Step) -> bool:
    """Whether this proposed call waits for a person."""
    if row.kind == StepKind.QUESTION:
        return True
    if row.judgement is None:
        return False
    return bool(row.judgement["verdict"]["outcome"] != GateOutcome.ALLOW)


def is_allowed(row: Step) -> bool:
    """Whether the gate lets this call run without a person."""
    return row.judgement is not None and row.judgement["verdict"]["outcome"] == GateOutcome.ALLOW

"""A final answer that people are asked about: what it says beside what the journal says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.argument_forms import Slot, slots_of, written
from approvals.models import ApprovalRequest
from approvals.vocabulary import Kind


@dataclass(frozen=True)
class AnswerView:
    """What templates/approvals/_answer.html takes. `claims` are {says, journal}, `done` {title, step, stands},
    `fields` {label, value}."""

    claims: list[Mapping[str, Any]]
    done: list[Mapping[str, Any]]
    fields: list[dict[str, str]]


def answer_of(item: ApprovalRequest) -> AnswerView | None:
    """None for a request of another kind."""
    question = item.question or {}
    output = question.get("output")
    if item.kind != Kind.RESULT or not isinstance(output, Mapping):
        return None
    slots = slots_of(question.get("schema") or {}, output)
    return AnswerView(
        claims=list(question.get("claims") or ()),
        done=list(question.get("done") or ()),
        fields=[{"label": slot.label, "value": _shown(slot)} for slot in slots],
    )


def _shown(slot: Slot) -> str:
    """A value to be read; in its field a choice is written as JSON."""
    return slot.value if isinstance(slot.value, str) else written(slot)

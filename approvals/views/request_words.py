"""Words for what a request is about: kinds, effects, evidence. Pure."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from approvals.layouts import lay_out, words_of
from approvals.vocabulary import Kind
from audit.wordings import Words

KIND_WORDS: Words[str] = Words(
    {
        Kind.ACTION: "Action",
        Kind.QUESTION: "Question",
        Kind.BUDGET: "Limit reached",
        Kind.IN_DOUBT: "In doubt",
        Kind.RESULT: "Final answer",
        Kind.ATTENTION: "Needs attention",
        Kind.HAND_BACK: "Hand back",
    }
)
ASKS = Words(
    {
        Kind.QUESTION: "Question",
        Kind.BUDGET: "What happened",
        Kind.IN_DOUBT: "What is not known",
        Kind.RESULT: "What is asked",
        Kind.ATTENTION: "What happened",
        Kind.HAND_BACK: "Hand back",
    }
)
EFFECT_WORDS = Words(
    {
        "money": "Moves money",
        "production": "Changes production",
        "destructive": "Destroys data",
        "external_communication": "Writes to people outside",
        "personal_data": "Touches personal data",
        "credentials": "Touches credentials",
    }
)


def evidence_of(entry: dict[str, Any]) -> dict[str, Any]:
    """A result that the agent had seen, as people read it."""
    step, laid_out = entry.get("step"), lay_out(entry.get("result"))
    return {
        "title": words_of(str(entry.get("tool", "")))
        + (gettext(", step {step}").format(step=step) if step else ""),
        "untrusted": entry.get("trust") != "trusted",
        "facts": laid_out.facts,
        "tables": laid_out.tables,
        "text": laid_out.text,
    }

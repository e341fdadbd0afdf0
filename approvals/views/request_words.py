"""Words for what a request is about: kinds, effects, evidence. Pure."""

from __future__ import annotations

import json
from typing import Any

from approvals.vocabulary import Kind

KIND_WORDS = {
    Kind.ACTION: "Action",
    Kind.QUESTION: "Question",
    Kind.BUDGET: "Limit reached",
    Kind.IN_DOUBT: "In doubt",
    Kind.RESULT: "Final answer",
    Kind.ATTENTION: "Needs attention",
    Kind.HAND_BACK: "Hand back",
}
ASKS = {
    Kind.QUESTION: "Question",
    Kind.BUDGET: "What happened",
    Kind.IN_DOUBT: "What is not known",
    Kind.RESULT: "What is asked",
    Kind.ATTENTION: "What happened",
    Kind.HAND_BACK: "Hand back",
}
EFFECT_WORDS = {
    "money": "Moves money",
    "production": "Changes production",
    "destructive": "Destroys data",
    "external_communication": "Writes to people outside",
    "personal_data": "Touches personal data",
    "credentials": "Touches credentials",
}


def evidence_of(entry: dict[str, Any]) -> dict[str, Any]:
    result = entry.get("result")
    facts = []
    if isinstance(result, dict) and all(
        not isinstance(value, dict | list) for value in result.values()
    ):
        facts = [{"label": words_of(key), "value": value} for key, value in result.items()]
    text = "" if facts else as_text(result)
    step = entry.get("step")
    return {
        "title": words_of(str(entry.get("tool", ""))) + (f", step {step}" if step else ""),
        "untrusted": entry.get("trust") != "trusted",
        "facts": facts,
        "text": text,
    }


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


def words_of(name: str) -> str:
    return name.replace("_", " ").capitalize()

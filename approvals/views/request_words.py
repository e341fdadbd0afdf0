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
    """A result as people read it: `facts`, `tables` ({label, columns, rows}), and what is neither as `text`."""
    result = entry.get("result")
    facts: list[dict[str, Any]] = []
    tables: list[dict[str, Any]] = []
    rest: Any = result
    if isinstance(result, dict):
        rest = {}
        if _is_grid(result):
            tables.append({"label": "", "columns": result["columns"], "rows": result["rows"]})
        for key, value in result.items():
            if tables and not tables[0]["label"] and key in ("columns", "rows"):
                continue
            if not isinstance(value, dict | list):
                facts.append({"label": words_of(key), "value": value})
            elif records := _records(value):
                tables.append({"label": words_of(key), **records})
            elif value:
                rest[key] = value
        # What takes lines of its own comes after what is said in a word.
        facts.sort(key=lambda fact: "\n" in str(fact["value"]))
    step = entry.get("step")
    return {
        "title": words_of(str(entry.get("tool", ""))) + (f", step {step}" if step else ""),
        "untrusted": entry.get("trust") != "trusted",
        "facts": facts,
        "tables": tables,
        "text": as_text(rest) if rest or not isinstance(result, dict) else "",
    }


def _is_grid(result: dict[str, Any]) -> bool:
    """Whether the result is columns with rows of so many cells."""
    columns, rows = result.get("columns"), result.get("rows")
    return (
        isinstance(columns, list)
        and isinstance(rows, list)
        and bool(columns)
        and all(isinstance(row, list) and len(row) == len(columns) for row in rows)
        and not any(isinstance(cell, dict | list) for row in [columns, *rows] for cell in row)
    )


def _records(value: Any) -> dict[str, Any] | None:
    """A list of flat objects with the same names, as columns and rows; None for anything else."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return None
    names = list(value[0])
    if not all(isinstance(each, dict) and list(each) == names for each in value):
        return None
    rows = [[each[name] for name in names] for each in value]
    if any(isinstance(cell, dict | list) for row in rows for cell in row):
        return None
    return {"columns": [words_of(name) for name in names], "rows": rows}


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


def words_of(name: str) -> str:
    return name.replace("_", " ").capitalize()

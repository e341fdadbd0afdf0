"""A result as people read it: labelled facts, tables, and what is neither as JSON. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.translation import gettext

_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII
)


@dataclass(frozen=True)
class Layout:
    """`facts` are {label, value}, `tables` {label, columns, rows}; `text` is what fits neither."""

    facts: list[dict[str, Any]]
    tables: list[dict[str, Any]]
    text: str


def lay_out(result: Any) -> Layout:
    """Whatever a tool gave, whole."""
    if not isinstance(result, dict):
        return Layout([], [], as_text(result))
    facts: list[dict[str, Any]] = []
    tables: list[dict[str, Any]] = []
    rest: dict[str, Any] = {}
    grid = _is_grid(result)
    if grid:
        tables.append({"label": "", "columns": result["columns"], "rows": result["rows"]})
    for key, value in result.items():
        if grid and key in ("columns", "rows"):
            continue
        if value in (None, "", [], {}):
            facts.append({"label": words_of(key), "value": gettext("none")})
        elif not isinstance(value, dict | list):
            facts.append({"label": words_of(key), "value": said(value)})
        elif "rows" not in result and _is_short_lines(value):
            facts.append({"label": words_of(key), "value": "\n".join(map(_line, value))})
        elif records := _records(value):
            tables.append({"label": words_of(key), **records})
        else:
            rest[key] = value
    # What takes lines of its own comes after what is said in a word.
    facts.sort(key=lambda fact: "\n" in str(fact["value"]))
    return Layout(facts, tables, as_text(rest) if rest else "")


def said(value: Any) -> Any:
    """A moment to the second, in UTC: `2026-11-22 10:41:56 UTC`; anything else as it is."""
    if not (isinstance(value, str) and _MOMENT.fullmatch(value)):
        return value
    try:
        return f"{datetime.fromisoformat(value).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return value


def _is_short_lines(value: Any) -> bool:
    """A list of texts and numbers, each of one line: none can look like several."""
    return isinstance(value, list) and not any(
        isinstance(each, dict | list) or len(str(each).splitlines()) > 1 for each in value
    )


def _line(value: Any) -> str:
    return f"• {value if isinstance(value, str) else as_text(value)}"


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

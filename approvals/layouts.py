"""A result as people read it: labelled facts, tables, and what is neither as JSON. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.utils.translation import gettext

from audit import spellings

_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
#: A name as programs write it: anything else is spelled as somebody wanted it.
_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
#: Words of names that are read letter by letter.
_LETTERS: Final = frozenset({"api", "iban", "id", "ip", "sql", "uri", "url", "vat"})


@dataclass(frozen=True)
class Layout:
    """`facts` are {label, value}, `tables` {label, columns, rows}; `text` is what fits neither.

    A fact's value is None where there is none; one of several lines has them as `lines` instead.
    """

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
        rows = [[said(cell) for cell in row] for row in result["rows"]]
        columns = [heading(str(name)) for name in result["columns"]]
        tables.append({"label": "", "columns": columns, "rows": rows})
    for key, value in result.items():
        if grid and key in ("columns", "rows"):
            continue
        if value in (None, "", [], {}):
            facts.append({"label": words_of(key), "value": None})
        elif not isinstance(value, dict | list):
            facts.append({"label": words_of(key), "value": said(value)})
        elif "rows" not in result and _is_short_lines(value):
            facts.append({"label": words_of(key), "lines": [as_text(said(each)) for each in value]})
        elif records := _records(value):
            tables.append({"label": words_of(key), **records})
        else:
            rest[key] = value
    # What takes lines of its own comes after what is said in a word.
    facts.sort(key=lambda fact: "lines" in fact or "\n" in str(fact["value"]))
    return Layout(facts, tables, as_text(rest) if rest else "")


def said(value: Any, places: int = 0) -> Any:
    """A moment to the second (`22 Nov 2026, 10:41:56 UTC`) and a day (`22 Nov 2026`) as pages write them, Yes and No.

    Anything else is given back as it is. `places`: how many decimal places a moment's seconds have.
    """
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    if not isinstance(value, str):
        return value
    try:
        if _MOMENT.fullmatch(value):
            return spellings.whole_moment(datetime.fromisoformat(value).astimezone(UTC), places)
        return spellings.day(date.fromisoformat(value)) if _DAY.fullmatch(value) else value
    except (ValueError, OverflowError):
        return value


def _is_short_lines(value: Any) -> bool:
    """A list of texts and numbers, each of one line: none can look like several."""
    return isinstance(value, list) and not any(
        isinstance(each, dict | list) or len(str(each).splitlines()) > 1 for each in value
    )


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
    rows = [[said(each[name]) for name in names] for each in value]
    if any(isinstance(cell, dict | list) for row in rows for cell in row):
        return None
    return {"columns": [words_of(name) for name in names], "rows": rows}


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


def words_of(name: str) -> str:
    """`order_id` as `Order ID`."""
    words = name.replace("_", " ").capitalize().split(" ")
    return " ".join(word.upper() if word.lower() in _LETTERS else word for word in words)


def heading(name: str) -> str:
    """A column as people say it: `unit_price` as `Unit price`, and what is no name of a program as it is."""
    return words_of(name) if _IDENTIFIER.fullmatch(name) else name

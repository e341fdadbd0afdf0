"""Events as rows of a table, derived from their bodies alone, safe to open in a spreadsheet.

RFC 4180: CRLF, everything quoted. A cell that a spreadsheet would run as a formula, and a cell that begins
with an apostrophe, gets an apostrophe in front: whoever takes one leading apostrophe away from every cell
that has one reads the value again.
"""

import csv
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import orjson

_RUN_BY_SPREADSHEETS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")

COLUMNS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("id", ("id",)),
    ("time", ("time",)),
    ("type", ("type",)),
    ("stream", ("stream",)),
    ("seq", ("seq",)),
    ("prev", ("prev",)),
    ("leaf_hash", ()),
    ("actor_kind", ("actor", "kind")),
    ("actor_id", ("actor", "id")),
    ("actor_auth", ("actor", "auth")),
    ("agent", ("agent", "slug")),
    ("agent_version", ("agent", "version")),
    ("run", ("agent", "run")),
    ("request", ("request",)),
    ("tool", ("action", "tool")),
    ("risk", ("action", "risk")),
    ("confidence_bp", ("action", "confidence_bp")),
    ("policy_version", ("policy", "version")),
    ("policy_sha256", ("policy", "sha256")),
    ("policy_rule", ("policy", "rule")),
    ("decision", ("outcome", "decision")),
    ("meaning", ("outcome", "meaning")),
    ("reason_code", ("outcome", "reason_code")),
    ("facts", ("facts",)),
    ("disclosures", ("_sd",)),
)


class _Lines:
    """A file that csv.writer writes one line to."""

    def __init__(self) -> None:
        self.last = ""

    def write(self, line: str) -> None:
        self.last = line


def defused(text: str) -> str:
    """The text as a cell that no spreadsheet runs."""
    return "'" + text if text.startswith(_RUN_BY_SPREADSHEETS) else text


def restored(cell: str) -> str:
    """The text that `defused` made into this cell."""
    return cell.removeprefix("'")


class Sheet:
    """Writes lines of CSV, each with its CRLF, in UTF-8."""

    def __init__(self) -> None:
        self._line = _Lines()
        self._writer = csv.writer(self._line, quoting=csv.QUOTE_ALL, lineterminator="\r\n")

    def header(self) -> bytes:
        """The line of column names."""
        return self._written([name for name, _ in COLUMNS])

    def line(self, cells: Sequence[str]) -> bytes:
        """A line of other cells, defused."""
        return self._written([defused(cell) for cell in cells])

    def row(self, body: bytes) -> bytes:
        """The line of one event."""
        event = orjson.loads(body)
        return self._written([defused(_cell(event, path, body)) for _, path in COLUMNS])

    def _written(self, cells: list[str]) -> bytes:
        self._writer.writerow(cells)
        return self._line.last.encode()


def _cell(event: dict[str, Any], path: tuple[str, ...], body: bytes) -> str:
    if not path:
        return "sha256:" + hashlib.sha256(b"\x00" + body).hexdigest()
    value: Any = event
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, dict | list):
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        # What a spreadsheet would not show, or would turn around, is escaped as JSON can.
        return text if text.isprintable() else json.dumps(value, sort_keys=True)
    return str(value)

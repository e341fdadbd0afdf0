"""Events as rows of a table, derived from their bodies alone, safe to open in a spreadsheet.

RFC 4180: CRLF, everything quoted. A cell that a spreadsheet would run as a formula, and a cell that begins
with an apostrophe, gets an apostrophe in front: whoever takes one leading apostrophe away from every cell
that has one reads the value again. The verifier holds the definition, since it compares cell by cell.
"""

import hashlib
from collections.abc import Sequence

import orjson

from audit.verifier import verify

COLUMNS = verify.COLUMNS


def defused(text: str) -> str:
    """The text as a cell that no spreadsheet runs."""
    return verify.defused([text])[0]


def restored(cell: str) -> str:
    """The text that `defused` made into this cell."""
    return cell.removeprefix("'")


def header() -> bytes:
    """The line of column names."""
    return verify.csv_line([name for name, _ in COLUMNS])


def line(cells: Sequence[str]) -> bytes:
    """A line of other cells, defused."""
    return verify.csv_line(verify.defused(list(cells)))


def row(body: bytes) -> bytes:
    """The line of one event."""
    leaf = hashlib.sha256(b"\x00" + body).hexdigest()
    return verify.csv_line(verify.cells_of(orjson.loads(body), leaf))

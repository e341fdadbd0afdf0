"""What a reviewer is shown of a change: each row before and after, as the database made it and took it back. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from agents.authoring import Cell, Preview, RowChange
from demo.steward.catalogue import KEY, TABLES
from demo.steward.changing import Touched

_DONE: Final = {"added": "added", "changed": "changed", "deleted": "deleted"}


def of_rows(rows: list[Touched]) -> Preview:
    """The rows that a statement touches."""
    changed = [row for row in rows if row.before != row.after]
    if not changed:
        return Preview(
            title="Change nothing: no row is different afterwards",
            summary="The statement finds no row, or leaves each as it is.",
            warnings=("Nothing would change. The agent may have looked for the wrong rows.",),
        )
    return Preview(
        title=_title(changed),
        summary="Tried out in the database and taken back. Exactly these rows change; with others it is not done.",
        subject=_subject(changed),
        warnings=_doubts(rows, changed),
        rows=tuple(_shown(row) for row in changed),
    )


def of_refusal(problem: str) -> Preview:
    """A statement that the database does not carry out."""
    return Preview(
        title="Change nothing: the database refuses the statement",
        warnings=(f"The call will fail: {problem}",),
    )


def turned_round(rows: list[Touched]) -> list[Touched]:
    """What taking these changes back would do, the last one first."""
    return [Touched(row.table, before=row.after, after=row.before) for row in reversed(rows)]


def _what(row: Touched) -> Any:
    if row.before is None:
        return "added"
    return "deleted" if row.after is None else "changed"


def _title(rows: list[Touched]) -> str:
    """`Change customer Acme GmbH: city`, or how many rows of what."""
    if len(rows) == 1:
        (row,) = rows
        verb = {"added": "Add", "changed": "Change", "deleted": "Delete"}[_what(row)]
        columns = f": {', '.join(_different(row))}" if _what(row) == "changed" else ""
        return f"{verb} {_name(row)}{columns}"
    counted = Counter((_what(row), TABLES[row.table].title) for row in rows)
    parts = [
        f"{number} {title}{'s' if number > 1 else ''} {_DONE[what]}"
        for (what, title), number in counted.items()
    ]
    return f"Change {len(rows)} rows: {', '.join(parts)}"


def _subject(rows: list[Touched]) -> str:
    return _headed(rows[0]) if len(rows) == 1 else f"{len(rows)} rows"


def _name(row: Touched) -> str:
    """`customer Acme GmbH`, as it is called now."""
    table, image = TABLES[row.table], row.before or row.after or {}
    return f"{table.title} {image.get(table.label)}"


def _headed(row: Touched) -> str:
    name = _name(row)
    return name[0].upper() + name[1:]


def _different(row: Touched) -> list[str]:
    before, after = row.before or {}, row.after or {}
    return [
        column.name
        for column in TABLES[row.table].columns
        if before.get(column.name) != after.get(column.name)
    ]


def _doubts(rows: list[Touched], changed: list[Touched]) -> tuple[str, ...]:
    doubts = []
    if len(changed) < len(rows):
        same = len(rows) - len(changed)
        doubts.append(
            f"{same} more {'row is' if same == 1 else 'rows are'} touched and stay as they are."
        )
    gone = sum(row.after is None for row in changed)
    if gone:
        doubts.append(f"{gone} {'row is' if gone == 1 else 'rows are'} deleted.")
    return tuple(doubts)


def _shown(row: Touched) -> RowChange:
    before, after = row.before or {}, row.after or {}
    cells = tuple(
        Cell(
            column=column.name,
            before=_text(before.get(column.name)),
            after=_text(after.get(column.name)),
        )
        for column in TABLES[row.table].columns
        # A new row's number is another one each time that it is tried.
        if not (column.name == KEY and row.before is None)
    )
    return RowChange(title=_headed(row), what=_what(row), cells=cells)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

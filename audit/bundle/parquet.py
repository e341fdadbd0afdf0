"""events.parquet, where pyarrow is installed (the extra `parquet`): the same cells, undefused, typed."""

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from audit.verifier.verify import COLUMNS

ROWS_A_GROUP: Final = 20_000
_NUMBERS: Final = frozenset({"seq", "confidence_bp", "policy_version"})


def is_installed() -> bool:
    """Whether Parquet files can be made here."""
    return importlib.util.find_spec("pyarrow") is not None


class ParquetTable:
    """Writes rows in groups, so that memory does not grow with their number."""

    def __init__(self, path: Path) -> None:
        pyarrow = importlib.import_module("pyarrow")
        self._arrow = pyarrow
        self._schema = pyarrow.schema(
            [
                (name, pyarrow.int64() if name in _NUMBERS else pyarrow.string())
                for name, _ in COLUMNS
            ]
        )
        self._rows: list[Sequence[str]] = []
        self._writer = importlib.import_module("pyarrow.parquet").ParquetWriter(
            path, self._schema, compression="zstd"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._write_group()
        self._writer.close()

    def row(self, cells: Sequence[str]) -> None:
        """Append the cells of one event; an empty one stands for nothing."""
        self._rows.append(cells)
        if len(self._rows) >= ROWS_A_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        columns: list[list[Any]] = (
            [
                [None if cell == "" else int(cell) if name in _NUMBERS else cell for cell in column]
                for (name, _), column in zip(COLUMNS, zip(*self._rows, strict=True), strict=True)
            ]
            if self._rows
            else [[] for _ in COLUMNS]
        )
        self._writer.write_table(self._arrow.table(columns, schema=self._schema))
        self._rows = []

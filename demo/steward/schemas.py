"""What data-steward's tools take and give. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from demo.steward.grammar import LONGEST, check_change, check_query

Cell = str | int | float | bool | None


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Shape):
    pass


class ColumnSheet(Shape):
    name: str
    type: str
    meaning: str
    may_be_changed: bool


class TableSheet(Shape):
    name: str
    meaning: str
    columns: tuple[ColumnSheet, ...]
    rows_may_be_added: bool
    rows_may_be_deleted: bool


class Tables(Shape):
    """The tables that there are, and what a statement may use."""

    tables: tuple[TableSheet, ...]
    functions: tuple[str, ...]
    rules: tuple[str, ...]


def _query(text: str) -> str:
    check_query(text)
    return text


def _change(text: str) -> str:
    check_change(text)
    return text


class Query(Shape):
    sql: Annotated[str, AfterValidator(_query)] = Field(
        min_length=1,
        max_length=LONGEST,
        title="SQL",
        description="One SELECT of PostgreSQL, with the tables and functions that describe_tables lists",
    )


class Rows(Shape):
    """What a query found. `truncated`: there was more; narrow the query. Exact numbers are texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    truncated: bool
    as_of: datetime


class Change(Shape):
    sql: Annotated[str, AfterValidator(_change)] = Field(
        min_length=1,
        max_length=LONGEST,
        title="SQL",
        description="One UPDATE, INSERT or DELETE of PostgreSQL that names the rows by a WHERE",
    )
    why: str = Field(
        min_length=1, max_length=500, title="Why", description="What is wrong, in a sentence"
    )


class Changed(Shape):
    """A change that was carried out: how many rows, of which table."""

    verb: Literal["insert", "update", "delete", "undo"]
    table: str
    rows: int


class Task(Shape):
    """What is to be found out or put right. A plain text is taken for the task."""

    task: str = Field(
        min_length=1, max_length=10_000, title="Ticket", description="What to find out or put right"
    )

    @model_validator(mode="before")
    @classmethod
    def _take_plain_text(cls, value: Any) -> Any:
        return {"task": value} if isinstance(value, str) else value

    @field_validator("task")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("write what is to be found out or put right")
        return text


class Findings(Shape):
    """How a task ended: answered, changed, or neither."""

    outcome: Literal["answered", "changed", "nothing_done"]
    rows: int = Field(ge=0, description="How many rows the answer is about, or were changed")
    message: str = Field(
        min_length=1, max_length=4_000, description="The answer, in a sentence or two"
    )

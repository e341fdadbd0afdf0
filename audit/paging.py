"""Keyset paging: a page is as fast at the millionth row as at the first."""

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet

from audit.errors import Invalid

LARGEST_PAGE = 200

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, and the cursor that fetches the next ones; None after the last."""

    items: list[Row]
    next_cursor: str | None


class BadCursor(Invalid):
    """A cursor that this list did not give out."""

    code = "bad_cursor"

    def __init__(self) -> None:
        super().__init__("This cursor is not valid here. Start again without a cursor.")


class BadLimit(Invalid):
    """A page size out of bounds."""

    code = "bad_limit"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"A page holds 1 to {LARGEST_PAGE} rows, not {limit}.", params={"largest": LARGEST_PAGE}
        )


def page(
    queryset: QuerySet[Row],
    *,
    order: Sequence[str] = ("-created_at", "-id"),
    cursor: str | None,
    limit: int,
    ordered: bool = False,
) -> Page[Row]:
    """The rows after `cursor` (None: the first ones), at most `limit` (1 to 200).

    `order` names columns that are never null in these rows and, together, unique; `ordered`: the rows stand in that
    order already, said as an index says it. Raises `BadCursor`, `BadLimit`.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        raise BadLimit(limit)
    rows = queryset if ordered else queryset.order_by(*order)
    if cursor:
        rows = rows.filter(_after(order, _read(queryset.model, order, cursor)))
    items = list(rows[: limit + 1])
    more = len(items) > limit
    items = items[:limit]
    return Page(items, _write(order, items[-1]) if more else None)


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    condition = Q()
    equal: dict[str, Any] = {}
    for name, value in zip(order, values, strict=True):
        field, word = (name[1:], "lt") if name.startswith("-") else (name, "gt")
        condition |= Q(**equal, **{f"{field}__{word}": value})
        equal[field] = value
    # The first column's bound is said once more on its own, since PostgreSQL can use it as an index
    # condition and the alternatives it cannot.
    first, word = (order[0][1:], "lte") if order[0].startswith("-") else (order[0], "gte")
    return Q(**{f"{first}__{word}": values[0]}) & condition


def _write(order: Sequence[str], row: Model) -> str:
    values = [_plain(getattr(row, name.removeprefix("-"))) for name in order]
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def _plain(value: Any) -> int | str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value if isinstance(value, int) else str(value)


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    field = model._meta.get_field(name.removeprefix("-"))
    if not isinstance(field, Field):
        raise TypeError(f"{name} is no column of {model.__name__}")
    return field


def _read(model: type[Model], order: Sequence[str], cursor: str) -> list[Any]:
    try:
        values = orjson.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        )
        if not isinstance(values, list) or len(values) != len(order):
            raise BadCursor
        if any(type(value) not in (str, int) for value in values):
            raise BadCursor
        read = [
            _field(model, name).to_python(value) for name, value in zip(order, values, strict=True)
        ]
    except (binascii.Error, ValueError, ValidationError, OverflowError) as error:
        raise BadCursor from error
    if any(
        value is None or (isinstance(value, dt.datetime) and value.tzinfo is None) for value in read
    ):
        raise BadCursor
    return read

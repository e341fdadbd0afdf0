"""Inserts and updates whose SQL is made once: the common shapes, without the cost of making them anew.

Django builds the SQL of each write from its fields, which takes longer than PostgreSQL needs to carry it
out. These write the same rows in the same way. Signals are not sent; no model here listens to any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import F, Field, Model, Value
from django.db.models.expressions import CombinedExpression

from audit.statements import landed


def insert(row: Model, *, unless_there: bool = False) -> None:
    """Insert a new row. A primary key that the database gives is not read back.

    `unless_there`: nothing happens where the table has such a row already.
    """
    sql, fields = _insert_into(type(row), row.pk is not None, unless_there)
    connection = connections[DEFAULT_DB_ALIAS]
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    landed(sql, values)
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS


@cache
def _insert_into(
    model: type[Model], is_named: bool, unless_there: bool
) -> tuple[str, Sequence[Field[Any, Any]]]:
    fields = [
        field
        for field in model._meta.concrete_fields
        if not field.generated and (is_named or not field.primary_key)
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(["%s"] * len(fields))
    ending = " ON CONFLICT DO NOTHING" if unless_there else ""
    # Names of tables and columns alone; all values are parameters.
    sql = f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({places}){ending}'  # noqa: S608
    return sql, fields


def update(model: type[Model], where: Mapping[str, Any], changes: Mapping[str, Any]) -> int:
    """Update rows and return how many landed.

    `where` gives fields their value, or with `__in` a list of values. `changes` are values, rows that a
    field refers to, or `F("field") + number`; any other expression is a TypeError.
    """
    added = {name: _added(value) for name, value in changes.items() if _is_expression(value)}
    sql, changed, asked = _update_of(
        model,
        tuple(where),
        tuple((name, added[name][0] if name in added else "") for name in changes),
    )
    connection = connections[DEFAULT_DB_ALIAS]
    parameters: list[Any] = [
        added[name][1] if name in added else _saved(field, changes[name], connection)
        for name, field in changed
    ]
    for name, field in asked:
        value = where[name]
        parameters.append(
            [field.get_db_prep_value(each, connection) for each in value]
            if name.endswith("__in")
            else field.get_db_prep_value(value, connection)
        )
    return landed(sql, parameters)


def _saved(field: Field[Any, Any], value: Any, connection: Any) -> Any:
    if isinstance(value, Model):
        value = value.prepare_database_save(field)
    return field.get_db_prep_save(value, connection)


Named = Sequence[tuple[str, Field[Any, Any]]]


@cache
def _update_of(
    model: type[Model], where: tuple[str, ...], changes: tuple[tuple[str, str], ...]
) -> tuple[str, Named, Named]:
    changed = [(name, _field(model, name)) for name, _ in changes]
    asked = [(name, _field(model, name.removesuffix("__in"))) for name in where]
    sets = ", ".join(
        f'"{field.column}" = "{_field(model, base).column}" + %s'
        if base
        else f'"{field.column}" = %s'
        for (_, field), (_, base) in zip(changed, changes, strict=True)
    )
    conditions = " AND ".join(
        f'"{field.column}" = ANY(%s)' if name.endswith("__in") else f'"{field.column}" = %s'
        for name, field in asked
    )
    sql = f'UPDATE "{model._meta.db_table}" SET {sets} WHERE {conditions}'  # noqa: S608
    return sql, changed, asked


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    if name == "pk":
        return model._meta.pk
    field = model._meta.get_field(name)
    assert isinstance(field, Field), f"{name} is no column"
    return field


def _is_expression(value: Any) -> bool:
    return hasattr(value, "resolve_expression")


def _added(value: Any) -> tuple[str, Any]:
    if (
        isinstance(value, CombinedExpression)
        and isinstance(value.lhs, F)
        and value.connector == CombinedExpression.ADD
        and isinstance(value.rhs, Value)
    ):
        # The stubs do not know the one attribute that F has.
        return value.lhs.name, value.rhs.value  # type: ignore[attr-defined]
    raise TypeError(f"{value!r} is not a field and a number added.")

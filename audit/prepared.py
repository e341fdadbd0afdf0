"""Queries of Django's ORM that are made once and asked often.

Between an approval and its effect stand few queries, and for each of them Django spends more time on making
the SQL than PostgreSQL does on answering. What is asked there is made once for each process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import DateTimeField, Func, IntegerField, Model, QuerySet, Subquery
from django.db.models.base import ModelState
from django.db.models.query import get_related_populators
from psycopg.sql import Literal

from audit.statements import rows as rows_of

Row = TypeVar("Row", bound=Model)

CLOCK = Func(function="clock_timestamp", output_field=DateTimeField())
"""Annotated as `read_at`, it says when a row was read; see `clock.moment_of`."""


class CountedTo(Subquery):
    """How many rows a query has, up to `most`: counting on would take longer than anybody reads. `told` is the
    column that is counted.

    `in_order` keeps the query's order, whose index PostgreSQL then walks: where it expects many rows, and there are
    none, it would look through the whole table.
    """

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()
    empty_result_set_value = 0

    def __init__(
        self, rows: QuerySet[Any, Any], most: int, told: str = "pk", *, in_order: bool = False
    ) -> None:
        rows = rows if in_order else rows.order_by()
        super().__init__(rows.values(told)[:most])


def locking_first(model: type[Model]) -> Callable[[str], str]:
    """A rewrite that locks the row whose key is the one parameter `before`, and reads it then.

    What the database's clock says must not be from before a wait for the lock.
    """
    table = model._meta.db_table

    def rewrite(sql: str) -> str:
        # The table's name alone; the key is a parameter.
        locked = f'WITH locked AS (SELECT * FROM "{table}" WHERE id = %s FOR NO KEY UPDATE) '  # noqa: S608
        return locked + sql.replace(f'FROM "{table}"', f'FROM locked AS "{table}"', 1)

    return rewrite


def lists_apart(statement: str) -> str:
    """A rewrite: what stands alone for several in `IN` is a list of whole numbers, by a query of its own.

    Else PostgreSQL counts them and plans anew each time, which takes it ten times as long as to answer.
    """
    return statement.replace("IN (%s)", "= ANY((SELECT %s::bigint[])::bigint[])")


class Prepared(Generic[Row]):
    """A query that yields model instances, with `select_related` and annotations, on `default`.

    `build` makes the queryset from one stand-in for each parameter; the stand-ins tell the parameters
    apart, so each is another value. `rewrite` may change the SQL (its parameters keep their order).
    """

    def __init__(
        self,
        build: Callable[..., QuerySet[Row]],
        *stand_ins: Any,
        rewrite: Callable[[str], str] = str,
    ) -> None:
        self._build = build
        self._stand_ins = stand_ins
        self._rewrite = rewrite

    def __call__(self, *parameters: Any, before: Sequence[Any] = ()) -> list[Row]:
        """All rows for these parameters; `before` are those of what `rewrite` put in front."""
        plan = self._plan
        return [plan.made(row) for row in rows_of(plan.sql, plan.bound(parameters, before))]

    def one(self, *parameters: Any, before: Sequence[Any] = ()) -> Row | None:
        """The first row, or None."""
        found = self(*parameters, before=before)
        return found[0] if found else None

    @cached_property
    def _plan(self) -> _Plan:
        return _Plan(self._build(*self._stand_ins), self._stand_ins, self._rewrite)


class PreparedValues:
    """The same for a query of `values`: each row is a dictionary by name."""

    def __init__(
        self,
        build: Callable[..., QuerySet[Any, Any]],
        *stand_ins: Any,
        rewrite: Callable[[str], str] = str,
    ) -> None:
        self._build = build
        self._stand_ins = stand_ins
        self._rewrite = rewrite

    def __call__(self, *parameters: Any) -> list[dict[str, Any]]:
        """All rows for these parameters."""
        plan = self._plan
        return [plan.named(row) for row in rows_of(plan.sql, plan.bound(parameters))]

    @cached_property
    def _plan(self) -> _Values:
        return _Values(self._build(*self._stand_ins), self._stand_ins, self._rewrite)


class _Statement:
    """The SQL, which parameter goes where, and what becomes of the columns."""

    def __init__(
        self,
        queryset: QuerySet[Any, Any],
        stand_ins: Sequence[Any],
        rewrite: Callable[[str], str],
    ) -> None:
        self._compiler = compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        places = {_told_apart(value): place for place, value in enumerate(stand_ins)}
        self.sql = _filled(
            rewrite(sql), [(places.get(_told_apart(each)), each) for each in parameters]
        )
        self._columns = [column for column, _, _ in compiler.select]
        self._converters = [
            (place, converters, expression)
            for place, (converters, expression) in compiler.get_converters(self._columns).items()
        ]

    @staticmethod
    def bound(given: Sequence[Any], before: Sequence[Any] = ()) -> dict[str, Any]:
        """What is given in place of the stand-ins, by name."""
        names = {f"b{place}": value for place, value in enumerate(before)}
        return names | {f"g{place}": value for place, value in enumerate(given)}

    def _converted(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for place, converters, expression in self._converters:
            for convert in converters:
                values[place] = convert(values[place], expression, connection)
        return values


class _Values(_Statement):
    """Rows of `values`, which come in the order in which the query selects them."""

    def __init__(
        self,
        queryset: QuerySet[Any, Any],
        stand_ins: Sequence[Any],
        rewrite: Callable[[str], str],
    ) -> None:
        super().__init__(queryset, stand_ins, rewrite)
        self._names = list(queryset.query.selected or ())

    def named(self, row: Sequence[Any]) -> dict[str, Any]:
        """The row by name."""
        return dict(zip(self._names, self._converted(row), strict=True))


class _Plan(_Statement):
    """How a row becomes an instance."""

    def __init__(
        self,
        queryset: QuerySet[Any],
        stand_ins: Sequence[Any],
        rewrite: Callable[[str], str],
    ) -> None:
        super().__init__(queryset, stand_ins, rewrite)
        compiler, columns = self._compiler, self._columns
        described = compiler.klass_info
        fields = described["select_fields"]
        self._model = described["model"]
        self._own = slice(fields[0], fields[-1] + 1)
        self._names = [column.target.attname for column in columns[self._own]]
        # The stubs describe a later Django.
        related = get_related_populators(described, compiler.select, connection.alias)  # type: ignore[call-arg]
        self._related = [_Beside(each) for each in related]
        self._annotations = list((compiler.annotation_col_map or {}).items())

    def made(self, row: Sequence[Any]) -> Any:
        """The instance that a row describes."""
        values = self._converted(row)
        instance = _instance(self._model, self._names, values[self._own])
        for beside in self._related:
            beside.populate(values, instance)
        for name, place in self._annotations:
            setattr(instance, name, values[place])
        return instance


class _Beside:
    """How the columns of a row that was selected beside another one become its instance."""

    def __init__(self, populator: Any) -> None:
        self._model = populator.model_cls
        self._names = populator.init_list
        self._own = slice(populator.cols_start, populator.cols_end)
        self._reordered = populator.reorder_for_init
        self._key = populator.pk_idx
        self._set = populator.local_setter
        self._set_back = populator.remote_setter
        self._related = [_Beside(each) for each in populator.related_populators]

    def populate(self, values: Sequence[Any], instance: Any) -> None:
        """Set on the instance what it refers to."""
        own = self._reordered(values) if self._reordered else values[self._own]
        if own[self._key] is None:
            self._set(instance, None)
            return
        made = _instance(self._model, self._names, own)
        for beside in self._related:
            beside.populate(values, made)
        self._set(instance, made)
        self._set_back(made, instance)


def _instance(model: type[Any], names: Sequence[str], values: Sequence[Any]) -> Any:
    """An instance as `Model.from_db` makes it, of whose making nobody is told: no model here listens, and for each
    row Django asks four times whether somebody does."""
    instance: Any = object.__new__(model)
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    vars(instance).update(zip(names, values, strict=True), _state=state)
    return instance


def _filled(sql: str, parameters: Sequence[tuple[int | None, Any]]) -> str:
    """The statement with what is given by name, and with all else as it is.

    What is the same each time PostgreSQL has to know when it plans once for all: it takes an index of pending
    requests only where it sees that they are pending, and else plans anew each time, which takes it ten times as
    long as to answer.
    """
    first, *pieces = sql.split("%s")
    front = len(pieces) - len(parameters)
    named = [f"%(b{place})s" for place in range(front)]
    named += [_literal(value) if place is None else f"%(g{place})s" for place, value in parameters]
    return first + "".join(name + piece for name, piece in zip(named, pieces, strict=True))


def _literal(value: Any) -> str:
    connection.ensure_connection()
    return Literal(value).as_string(connection.connection).replace("%", "%%")


def _told_apart(value: Any) -> tuple[type, Any]:
    """By type too: True and 1 are equal. Whole numbers come back as a type of the driver, by their column."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    # The path into a JSON value is a list, which no dictionary takes as a key.
    return (int if whole else type(value)), tuple(value) if isinstance(value, list) else value

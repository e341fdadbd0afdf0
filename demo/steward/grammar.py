"""What a statement of a model may say: PostgreSQL's own grammar reads it, and every node must be on the list.

Pure. What cannot be read is refused like what is not on the list (`demo.steward.vocabulary`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import postgast

from demo.steward import vocabulary as may
from demo.steward.catalogue import TABLES, Table

LONGEST: Final = 4_000
MOST_NODES: Final = 2_000
COLUMNS: Final = frozenset[str]().union(*(table.readable for table in TABLES.values()))
Verb = Literal["insert", "update", "delete"]


class NotAllowed(ValueError):
    """The statement may not be run; the text says what is wrong with it, for whoever wrote it."""


@dataclass(frozen=True)
class Target:
    """What a change is about."""

    verb: Verb
    table: Table


@dataclass(frozen=True)
class Scope:
    """What names mean at a place: queries of WITH that stand before it, and names given to columns anywhere.

    `clock`: whether the time of day may be asked for.
    """

    given: frozenset[str]
    clock: bool
    queries: frozenset[str] = frozenset()


def check_query(sql: str) -> None:
    """Raise NotAllowed unless this is one SELECT of what is on the list."""
    root = _only_statement(sql)
    if root.WhichOneof("node") != "select_stmt":
        raise NotAllowed("Write one SELECT. To change rows, propose change_rows.")
    _check_outermost(root.select_stmt, may.SELECT, clock=True)


def check_change(sql: str) -> Target:
    """What the statement changes; NotAllowed unless it is one INSERT, UPDATE or DELETE of what is on the list."""
    root = _only_statement(sql)
    kind = root.WhichOneof("node")
    if kind not in _TARGETS:
        raise NotAllowed("Write one UPDATE, INSERT or DELETE. To read, use query.")
    statement = getattr(root, kind)
    # It names its values: with a clock it would do something else each time that it is looked at.
    _check_outermost(statement, may.CHANGES[_kind(statement)], clock=False)
    return _TARGETS[kind](statement)


def _only_statement(sql: str) -> Any:
    if len(sql) > LONGEST:
        raise NotAllowed(f"The statement is longer than {LONGEST} characters.")
    if "\x00" in sql:
        # The parser reads up to it, and no further.
        raise NotAllowed("The statement holds a NUL character.")
    try:
        found = postgast.parse(sql).stmts
    except postgast.PgQueryError as error:
        raise NotAllowed(f"PostgreSQL cannot read it: {error}") from error
    # Nesting that the parser does not follow, characters that are none: what cannot be read is refused.
    except Exception as error:
        raise NotAllowed("It cannot be read; write it more simply.") from error
    if len(found) != 1:
        raise NotAllowed("Write exactly one statement.")
    return found[0].stmt


def _check_outermost(statement: Any, parts: frozenset[str], *, clock: bool) -> None:
    """Only the outermost statement may have a WITH, each query of which sees those before it."""
    nodes = list(_below(statement))
    if len(nodes) > MOST_NODES:
        raise NotAllowed("The statement is too complicated.")
    scope = Scope(frozenset(_names_given(nodes)), clock)
    if statement.HasField("with_clause"):
        scope = _with_queries(statement.with_clause, scope)
    _check_parts(statement, parts)
    _walk_children(statement, scope, besides="with_clause")


def _with_queries(clause: Any, scope: Scope) -> Scope:
    if clause.recursive:
        raise NotAllowed("WITH RECURSIVE is not allowed.")
    for node in clause.ctes:
        query = node.common_table_expr
        _check_parts(query, may.QUERY_OF_WITH)
        if query.ctequery.WhichOneof("node") != "select_stmt":
            raise NotAllowed("WITH may hold SELECTs only.")
        _walk(query.ctequery, scope)
        scope = replace(scope, queries=scope.queries | {query.ctename})
    return scope


def _walk(node: Any, scope: Scope) -> None:
    kind = _kind(node)
    if kind == "SelectStmt":
        _check_parts(node, may.SELECT)
    elif kind in _LOOKS:
        _LOOKS[kind](node, scope)
    elif kind not in may.PLAIN:
        raise NotAllowed(f"{may.NAMES.get(kind, kind)} is not allowed.")
    _walk_children(node, scope)


def _walk_children(node: Any, scope: Scope, *, besides: str = "") -> None:
    for name, child in _children(node):
        if name != besides:
            _walk(child, scope)


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    """The nodes right below, with the name of the part that holds them."""
    for part, value in node.ListFields():
        if part.message_type is not None:
            yield from ((part.name, child) for child in (value if part.is_repeated else [value]))


def _below(node: Any) -> Iterator[Any]:
    yield node
    for _, child in _children(node):
        yield from _below(child)


def _kind(node: Any) -> str:
    return str(node.DESCRIPTOR.name)


def _enum(node: Any, part: str) -> str:
    """The name of the value of an enumeration."""
    values = node.DESCRIPTOR.fields_by_name[part].enum_type.values_by_number
    return str(values[getattr(node, part)].name)


def _texts(nodes: Iterable[Any]) -> list[str]:
    return [node.string.sval for node in nodes]


def _names_given(nodes: Iterable[Any]) -> Iterator[str]:
    """The names that the statement itself gives to columns."""
    for node in nodes:
        match _kind(node):
            case "ResTarget":
                yield node.name
            case "Alias":
                yield from _texts(node.colnames)
            case "CommonTableExpr":
                yield from _texts(node.aliascolnames)


def _check_parts(node: Any, allowed: frozenset[str]) -> None:
    for part, _ in node.ListFields():
        if part.name not in allowed:
            raise NotAllowed(f"{part.name.replace('_', ' ')} is not allowed here.")


def _look_at_table(node: Any, scope: Scope) -> None:
    name = node.relname
    if not node.schemaname and name in scope.queries:
        return
    if node.catalogname or node.schemaname not in ("", "public") or name not in TABLES:
        raise NotAllowed(f"There is no table {name}. Tables: {', '.join(TABLES)}.")


def _look_at_column(node: Any, scope: Scope) -> None:
    if len(node.fields) > 2:
        raise NotAllowed("Name a column as column or as table.column.")
    if node.fields[-1].WhichOneof("node") == "a_star":
        return
    name = node.fields[-1].string.sval
    # After a dot PostgreSQL also takes the name of a function that it calls with the row.
    known = COLUMNS if len(node.fields) == 2 else COLUMNS | scope.given
    if name not in known:
        hint = " Use names that you give without a dot." if name in scope.given else ""
        raise NotAllowed(f"There is no column {'.'.join(_texts(node.fields))}.{hint}")


def _look_at_function(node: Any, scope: Scope) -> None:
    *schema, name = _texts(node.funcname)
    if schema not in ([], ["pg_catalog"]) or name not in may.FUNCTIONS:
        listed = ", ".join(sorted(may.FUNCTIONS))
        raise NotAllowed(f"The function {name} is not on the list. Functions: {listed}.")
    if node.func_variadic:
        raise NotAllowed("VARIADIC is not allowed.")


def _look_at_operation(node: Any, scope: Scope) -> None:
    kind, names = _enum(node, "kind"), _texts(node.name)
    if names == [may.BETWEEN.get(kind)]:
        return
    if kind not in may.COMPARISONS or len(names) != 1 or names[0] not in may.OPERATORS:
        listed = " ".join(sorted(may.OPERATORS))
        raise NotAllowed(f"The operator {'.'.join(names)} is not on the list. Operators: {listed}.")


def _look_at_type(node: Any, scope: Scope) -> None:
    *schema, name = _texts(node.names)
    odd = node.array_bounds or node.setof or node.pct_type
    if schema not in ([], ["pg_catalog"]) or name not in may.TYPES or odd:
        listed = ", ".join(sorted(may.TYPES))
        raise NotAllowed(f"The type {name} is not on the list. Types: {listed}.")


def _look_at_subquery(node: Any, scope: Scope) -> None:
    if _enum(node, "sub_link_type") not in may.SUBQUERIES:
        raise NotAllowed("This kind of subquery is not allowed.")


def _look_at_clock(node: Any, scope: Scope) -> None:
    if _enum(node, "op") not in may.CLOCKS:
        raise NotAllowed("Of such values only CURRENT_DATE and CURRENT_TIMESTAMP are allowed.")
    if not scope.clock:
        raise NotAllowed("A change names its values: write the date itself.")


def _look_at_output(node: Any, scope: Scope) -> None:
    if node.indirection:
        raise NotAllowed("Name whole columns.")


_LOOKS: Final[dict[str, Callable[[Any, Scope], None]]] = {
    "RangeVar": _look_at_table,
    "ColumnRef": _look_at_column,
    "FuncCall": _look_at_function,
    "A_Expr": _look_at_operation,
    "TypeName": _look_at_type,
    "SubLink": _look_at_subquery,
    "SQLValueFunction": _look_at_clock,
    "ResTarget": _look_at_output,
}


def _updated(statement: Any) -> Target:
    table = _changeable(statement)
    _need_rows_named(statement)
    _need_writable(table, statement.target_list)
    return Target("update", table)


def _deleted(statement: Any) -> Target:
    table = _changeable(statement)
    _need_rows_named(statement)
    if not table.delete:
        raise NotAllowed(f"Rows of {table.name} may not be deleted.")
    return Target("delete", table)


def _inserted(statement: Any) -> Target:
    table = _changeable(statement)
    if not table.insert:
        raise NotAllowed(f"Rows may not be added to {table.name}.")
    if not statement.cols:
        raise NotAllowed("Name the columns that get a value.")
    _need_writable(table, statement.cols)
    return Target("insert", table)


def _changeable(statement: Any) -> Table:
    # Not by way of WITH: what is changed is a table.
    table = TABLES.get(statement.relation.relname)
    if table is None or not table.changeable:
        listed = ", ".join(name for name, found in TABLES.items() if found.changeable)
        raise NotAllowed(f"{statement.relation.relname} may not be changed. Tables: {listed}.")
    return table


def _need_rows_named(statement: Any) -> None:
    if not statement.HasField("where_clause"):
        raise NotAllowed("Name the rows by a WHERE.")


def _need_writable(table: Table, targets: Iterable[Any]) -> None:
    for column in (target.res_target.name for target in targets):
        if column not in table.writable:
            listed = ", ".join(sorted(table.writable))
            raise NotAllowed(f"{table.name}.{column} may not be changed. Columns: {listed}.")


_TARGETS: Final[dict[str, Callable[[Any], Target]]] = {
    "insert_stmt": _inserted,
    "update_stmt": _updated,
    "delete_stmt": _deleted,
}

"""The words that a model's statement may be made of. Pure lists; what is not on them is refused.

Nothing here makes a value longer than those that it is given, so that no statement can build a text of a
gigabyte: no ||, no concat, repeat, lpad, string_agg, no char(n), no function that returns rows.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS: Final = _words(
    "count sum min max avg bool_and bool_or lower upper initcap btrim ltrim rtrim length char_length left "
    "right substring position strpos starts_with abs round floor ceil date_trunc date_part extract "
    "row_number rank dense_rank"
)
OPERATORS: Final = _words("= <> < > <= >= + - * / % ~~ ~~* !~~ !~~*")
TYPES: Final = _words(
    "text varchar int2 int4 int8 numeric float8 bool date time timestamp timestamptz interval"
)
CLOCKS: Final = frozenset({"SVFOP_CURRENT_DATE", "SVFOP_CURRENT_TIMESTAMP", "SVFOP_LOCALTIMESTAMP"})
BETWEEN: Final = {"AEXPR_BETWEEN": "BETWEEN", "AEXPR_NOT_BETWEEN": "NOT BETWEEN"}
COMPARISONS: Final = _words(
    "AEXPR_OP AEXPR_OP_ANY AEXPR_OP_ALL AEXPR_DISTINCT AEXPR_NOT_DISTINCT AEXPR_NULLIF AEXPR_IN AEXPR_LIKE "
    "AEXPR_ILIKE"
)
SUBQUERIES: Final = frozenset({"EXISTS_SUBLINK", "ALL_SUBLINK", "ANY_SUBLINK", "EXPR_SUBLINK"})
#: Kinds of nodes that hold nothing but other nodes, names and constants.
PLAIN: Final = _words(
    "Node List A_Const A_Star String Integer Float Boolean Alias JoinExpr BoolExpr NullTest BooleanTest "
    "CaseExpr CaseWhen CoalesceExpr MinMaxExpr SortBy WindowDef RangeSubselect TypeCast"
)
SELECT: Final = _words(
    "distinct_clause target_list from_clause where_clause group_clause group_distinct having_clause "
    "window_clause values_lists sort_clause limit_offset limit_count limit_option op all larg rarg "
    "with_clause"
)
CHANGES: Final = {
    "InsertStmt": frozenset({"relation", "cols", "select_stmt", "override", "with_clause"}),
    "UpdateStmt": frozenset(
        {"relation", "target_list", "where_clause", "from_clause", "with_clause"}
    ),
    "DeleteStmt": frozenset({"relation", "using_clause", "where_clause", "with_clause"}),
}
QUERY_OF_WITH: Final = frozenset(
    {"ctename", "aliascolnames", "ctematerialized", "ctequery", "location"}
)
#: How refused kinds of nodes are called to whoever wrote them.
NAMES: Final = {
    "ParamRef": "A parameter such as $1",
    "IntoClause": "SELECT INTO",
    "LockingClause": "FOR UPDATE or FOR SHARE",
    "RangeFunction": "A function in FROM",
    "A_ArrayExpr": "ARRAY",
    "A_Indirection": "(…).name or […]",
    "RowExpr": "ROW(…)",
    "CollateClause": "COLLATE",
    "SetToDefault": "DEFAULT",
    "WithClause": "WITH anywhere but at the beginning",
    "InsertStmt": "A change inside another statement",
    "UpdateStmt": "A change inside another statement",
    "DeleteStmt": "A change inside another statement",
}

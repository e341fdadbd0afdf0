"""The functions of PostgreSQL that data-steward's login is granted, where everybody has none of them.

So it is in the embedded PostgreSQL. The login gets what the vocabulary names, what its operators and casts
stand on, and what its own sessions ask.
"""

from __future__ import annotations

from typing import Final

from psycopg import sql

from demo.steward import vocabulary as may

OWN: Final = (
    "current_setting",
    "has_any_column_privilege",
    "has_database_privilege",
    "has_function_privilege",
    "has_schema_privilege",
    "has_sequence_privilege",
    "has_table_privilege",
    "jsonb_populate_record",
    "statement_timestamp",
    "to_jsonb",
)
"""What the fence, the ledger and undoing call; no name among them makes, waits for or changes anything."""
_LISTED: Final = """
SELECT oid FROM pg_proc
 WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN ({functions})
UNION
SELECT oprcode::oid FROM pg_operator
 WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname IN ({operators})
UNION
SELECT castfunc FROM pg_cast
 WHERE castfunc <> 0 AND castsource::regtype::text IN ({types}) AND casttarget::regtype::text IN ({types})
UNION
SELECT unnest(array[typinput, typoutput])::oid FROM pg_type WHERE oid::regtype::text IN ({types})
"""
_GRANT: Final = """
DO $$
DECLARE
    listed text;
    beside text;
BEGIN
    SELECT string_agg(oid::regprocedure::text, ', ')
             FILTER (WHERE is_listed AND has_function_privilege(oid, 'EXECUTE WITH GRANT OPTION')),
           string_agg(oid::regprocedure::text, ', ') FILTER (WHERE NOT is_listed AND is_granted)
      INTO listed, beside
      FROM (SELECT oid, oid IN ({listed}) AS is_listed,
                   EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = {role}::regrole) AS is_granted
              FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace) AS routine;
    IF beside IS NOT NULL THEN
        EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM %I', beside, {name});
    END IF;
    IF listed IS NOT NULL THEN
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', listed, {name});
    END IF;
END
$$
"""


def grant(name: str) -> sql.Composed:
    """What the owner runs. Where everybody may call every function, nothing comes of it."""
    listed = sql.SQL(_LISTED).format(
        functions=_texts([*sorted(may.FUNCTIONS), *OWN]),
        operators=_texts(sorted(may.OPERATORS)),
        types=_texts(_SPELLED),
    )
    role = sql.Literal(f'"{name}"')
    return sql.SQL(_GRANT).format(listed=listed, name=sql.Literal(name), role=role)


_SPELLED: Final = (
    *("text", "character varying", "smallint", "integer", "bigint", "numeric", "double precision"),
    *("boolean", "date", "time without time zone", "timestamp without time zone"),
    *("timestamp with time zone", "interval", "name"),
)
"""The vocabulary's types as PostgreSQL writes them, and that of its own names."""


def _texts(words: list[str] | tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Literal, words))

"""Is a database login fenced in? Asked by the login itself, of the catalogues that everybody may read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg

from demo.steward.catalogue import LEDGER, LEDGER_ROWS, TABLES

_ATTRIBUTES: Final = """
SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolinherit,
    EXISTS (SELECT FROM pg_auth_members WHERE member = role.oid),
    EXISTS (SELECT FROM pg_shdepend
             WHERE refclassid = 'pg_authid'::regclass AND refobjid = role.oid AND deptype = 'o'),
    has_database_privilege(current_catalog, 'CREATE'),
    has_database_privilege(current_catalog, 'TEMPORARY'),
    current_setting('statement_timeout') IN ('0', ''),
    current_setting('default_transaction_read_only') = 'off'
FROM pg_roles AS role WHERE rolname = current_user
"""
_SENTENCES: Final = (
    "It is a superuser.",
    "It may create roles.",
    "It may create databases.",
    "It may replicate.",
    "It passes row security.",
    "It inherits rights (make it NOINHERIT).",
    "It is a member of another role.",
    "It owns something.",
    "It may create schemas in the database.",
    "It may make temporary tables (revoke TEMPORARY from PUBLIC).",
    "Its statements have no time limit.",
    "Its transactions are not read-only unless they say so.",
)
_REACHES: Final = """
SELECT 'It reaches the table {}.', relation.oid::regclass::text
FROM pg_class AS relation JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
WHERE schema.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT (schema.nspname = 'public' AND relation.relname = ANY (%(known)s))
    AND (has_table_privilege(relation.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        OR has_any_column_privilege(relation.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
UNION ALL
SELECT 'It may use the sequence {}.', relation.oid::regclass::text
FROM pg_class AS relation
WHERE CASE WHEN relation.relkind = 'S' THEN has_sequence_privilege(relation.oid, 'USAGE, UPDATE') END
UNION ALL
SELECT 'It may create things in the schema {}.', nspname::text
FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE')
UNION ALL
SELECT 'It may call {}, which runs with another one''s rights.', procedure.oid::regprocedure::text
FROM pg_proc AS procedure
WHERE pronamespace <> 'pg_catalog'::regnamespace AND pronamespace <> 'information_schema'::regnamespace
    AND (prosecdef OR proname LIKE 'dblink%%')
    AND CASE WHEN has_schema_privilege(pronamespace, 'USAGE')
        THEN has_function_privilege(procedure.oid, 'EXECUTE') END
UNION ALL
SELECT 'It may change or empty {} more than it should.', relation.oid::regclass::text
FROM pg_class AS relation JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
WHERE schema.nspname = 'public' AND relation.relname = ANY (%(unwritten)s)
    AND (has_table_privilege(relation.oid, 'UPDATE, DELETE, TRUNCATE')
        OR has_any_column_privilege(relation.oid, 'UPDATE'))
"""
_UNWRITTEN: Final = [
    LEDGER,
    LEDGER_ROWS,
    *(table.name for table in TABLES.values() if not table.changeable),
]


def breaches(session: psycopg.Connection[tuple[Any, ...]]) -> list[str]:
    """What lets the session's login do more than it must, a sentence each; empty when nothing does."""
    return list(_found(session))


def _found(session: psycopg.Connection[tuple[Any, ...]]) -> Iterator[str]:
    row = session.execute(_ATTRIBUTES).fetchone()
    assert row is not None, "current_user is a role"
    yield from (sentence for sentence, holds in zip(_SENTENCES, row, strict=True) if holds)
    known = {"known": [*TABLES, LEDGER, LEDGER_ROWS], "unwritten": _UNWRITTEN}
    yield from (sentence.format(what) for sentence, what in session.execute(_REACHES, known))

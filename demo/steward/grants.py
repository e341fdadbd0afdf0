"""What the owner of the shop's tables grants data-steward's login, and the trigger that writes down what it changes."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from psycopg import sql

from demo.steward import functions
from demo.steward.catalogue import LEDGER, LEDGER_ROWS, TABLES, Table
from demo.steward.session import CHANGE_KEY, login_name

WATCH: Final = "demo_steward_watch"
_WATCH_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION {watch}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO public.{rows} ("table", before, after, change_key) VALUES (
        TG_TABLE_NAME,
        CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END,
        CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END,
        current_setting({key})
    );
    RETURN NULL;
END
$$
"""


def let_in(*, using: str, **_signal: Any) -> None:
    """Receiver of post_migrate: bring the login's rights to what they must be, as the tables' owner.

    Does nothing where no login is named. Raises ImproperlyConfigured for one that is the application's,
    the owner's or the sealer's, or that the server does not have.
    """
    alias = "owner" if "owner" in settings.DATABASES else using
    name = login_name(settings.COUNTERSIGN.demo_steward_url)
    if not name:
        return
    _refuse_the_houses_own(name)
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NULL", [LEDGER_ROWS])
        if cursor.fetchone() == (True,):
            # The migrations stopped before the tables that this is about.
            return
        cursor.execute("SELECT current_database(), to_regrole(%s) IS NULL", [f'"{name}"'])
        database, missing = cursor.fetchone()
        if missing:
            raise ImproperlyConfigured(
                f"COUNTERSIGN_DEMO_STEWARD_URL names the login {name}, which the server does not have. "
                "docs/data-steward.md says how to make it."
            )
        raw = connections[alias].connection
        for statement in statements(name, database):
            cursor.execute(statement.as_string(raw))


def statements(name: str, database: str) -> list[sql.Composed]:
    """Everything that the owner runs, in order; running it again changes nothing."""
    role = sql.Identifier(name)
    granted = [
        _compose("GRANT CONNECT ON DATABASE {} TO {}", sql.Identifier(database), role),
        _compose("GRANT USAGE ON SCHEMA public TO {}", role),
        _compose("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}", role),
        _compose("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {}", role),
        sql.SQL(_WATCH_FUNCTION).format(
            watch=sql.Identifier(WATCH),
            rows=sql.Identifier(LEDGER_ROWS),
            key=sql.Literal(CHANGE_KEY),
        ),
        _compose(f"REVOKE ALL ON FUNCTION {WATCH}() FROM PUBLIC"),
        *_ledger(role),
        functions.grant(name),
    ]
    for table in TABLES.values():
        granted += _rights(table, role)
        granted += _watch(table, name)
    return granted


def _ledger(role: sql.Identifier) -> list[sql.Composed]:
    return [
        _compose(f"GRANT SELECT, INSERT (key, statement) ON {LEDGER} TO {{}}", role),
        _compose(f"GRANT SELECT ON {LEDGER_ROWS} TO {{}}", role),
    ]


def _rights(table: Table, role: sql.Identifier) -> list[sql.Composed]:
    columns = sorted(table.readable)
    rights = [("SELECT", columns)]
    if table.writable:
        rights.append(("UPDATE", sorted(table.writable)))
    if table.insert or table.delete:
        # What was deleted can be put back, under the number that it had.
        rights.append(("INSERT", columns))
    found = [
        sql.SQL("GRANT {} ({}) ON {} TO {}").format(
            sql.SQL(right),
            sql.SQL(", ").join(map(sql.Identifier, named)),
            sql.Identifier(table.name),
            role,
        )
        for right, named in rights
    ]
    if table.insert or table.delete:
        found.append(_compose("GRANT DELETE ON {} TO {}", sql.Identifier(table.name), role))
    return found


def _watch(table: Table, name: str) -> list[sql.Composed]:
    if not table.changeable:
        return []
    return [
        sql.SQL(
            "CREATE OR REPLACE TRIGGER {} AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW "
            "WHEN (session_user = {}) EXECUTE FUNCTION {}()"
        ).format(
            sql.Identifier(WATCH),
            sql.Identifier(table.name),
            sql.Literal(name),
            sql.Identifier(WATCH),
        )
    ]


def _refuse_the_houses_own(name: str) -> None:
    for alias, database in settings.DATABASES.items():
        if database.get("USER") == name:
            raise ImproperlyConfigured(
                f"COUNTERSIGN_DEMO_STEWARD_URL names the login {name} of the alias {alias}: data-steward "
                "needs one of its own."
            )


def _compose(template: str, *names: sql.Identifier) -> sql.Composed:
    return sql.SQL(template).format(*names)

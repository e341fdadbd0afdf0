"""Who may do what to the tables, and what is missing where the installation gives only one login.

Migrations run as the owner. The application's login gets ordinary rights on the tables of all apps, so
that no app has to think of grants, except on the log's own: there it may read, and append through
`audit_append()`, and nothing else. The sealer's login gets its part of the log and no other table.
"""

from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

APPLICATION: Final = "default"
OWNER: Final = "owner"
SEALER: Final = "sealer"

# What the application may do to the log's tables. Exports are ordinary rows and have ordinary rights.
_APPLICATION_RIGHTS: Final = {
    "audit_event": "SELECT",
    "audit_stream": "SELECT",
    "audit_pending": "SELECT",
    # What is erased is locked and counted first, for which PostgreSQL asks for the right to change some column.
    "audit_subjectkey": "SELECT, INSERT, DELETE, UPDATE (created_at)",
    "audit_disclosure": "SELECT, DELETE",
    "audit_log": "SELECT",
    "audit_logkey": "SELECT",
    "audit_leaf": "SELECT",
    "audit_tile": "SELECT",
    "audit_treestate": "SELECT",
    "audit_checkpoint": "SELECT",
    "audit_cosignature": "SELECT, INSERT",
    "audit_hold": "SELECT, INSERT, UPDATE",
    "audit_erasure": "SELECT, INSERT, UPDATE",
    "audit_sample": "SELECT, INSERT",
    "audit_retired": "SELECT",
    "audit_retiredstream": "SELECT",
}
_SEALER_RIGHTS: Final = {
    "audit_event": "SELECT",
    "audit_stream": "SELECT",
    "audit_pending": "SELECT, DELETE",
    "audit_log": "SELECT, INSERT",
    "audit_logkey": "SELECT, INSERT, UPDATE (retired_at, retired_size)",
    "audit_leaf": "SELECT, INSERT",
    "audit_tile": "SELECT, INSERT, UPDATE (data)",
    "audit_treestate": "SELECT, UPDATE",
    "audit_checkpoint": "SELECT, INSERT",
}
_APPEND: Final = (
    "audit_append(text, uuid, bytea, bytea, bytea, bytea, text[], text[], uuid[], bytea[])"
)
_MAKE_PARTITIONS: Final = "audit_make_partitions(integer)"


def open_new_tables(*, using: str, **_signal: Any) -> None:
    """Receiver of pre_migrate: tables that migrations make are the application's to use at once.

    Some migrations of other packages read and write through the application's login.
    """
    owner = connections[_owner(using)]
    role = _login(connections[APPLICATION])
    if role != _login(owner):
        _run(owner, _default_privileges(sql.Identifier(role)))


def grant_after_migrations(*, using: str, **_signal: Any) -> None:
    """Receiver of post_migrate: bring the grants to what they must be, as the tables' owner."""
    apply_grants(_owner(using))


def apply_grants(using: str = OWNER) -> None:
    """Grant the application's and the sealer's logins their rights, as the login behind `using`.

    Does nothing for a login that is the owner itself: `missing_protection` speaks of it.
    """
    connection = connections[using]
    owner = _login(connection)
    application, sealer = _login(connections[APPLICATION]), _login(connections[SEALER])
    if application != owner:
        _run(connection, _for_application(sql.Identifier(application)))
    if sealer not in (owner, application):
        role = sql.Identifier(sealer)
        _run(connection, [*_only(_SEALER_RIGHTS, role), _execute(_MAKE_PARTITIONS, role)])


def _owner(using: str) -> str:
    return OWNER if OWNER in settings.DATABASES else using


def _run(connection: BaseDatabaseWrapper, statements: list[sql.Composed]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.as_string(connection.connection))


def _for_application(role: sql.Identifier) -> list[sql.Composed]:
    return [
        *_default_privileges(role),
        _compose("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}", role),
        _compose("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}", role),
        *_only(_APPLICATION_RIGHTS, role),
        # The partitions were among all tables above; each loses its grants again.
        _compose(
            "SELECT audit_protect_partition(inhrelid::regclass) FROM pg_inherits "
            "WHERE inhparent = 'audit_event'::regclass"
        ),
        _execute(_APPEND, role),
        _execute(_MAKE_PARTITIONS, role),
    ]


def _default_privileges(role: sql.Identifier) -> list[sql.Composed]:
    return [
        _compose(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} TO {{}}", role)
        for rights in (
            "SELECT, INSERT, UPDATE, DELETE ON TABLES",
            "USAGE, SELECT ON SEQUENCES",
        )
    ]


def _only(rights: dict[str, str], role: sql.Identifier) -> list[sql.Composed]:
    return [
        statement
        for table, granted in rights.items()
        for statement in (
            _compose("REVOKE ALL ON {} FROM {}", sql.Identifier(table), role),
            _compose(f"GRANT {granted} ON {{}} TO {{}}", sql.Identifier(table), role),
        )
    ]


def _execute(function: str, role: sql.Identifier) -> sql.Composed:
    return _compose(f"GRANT EXECUTE ON FUNCTION {function} TO {{}}", role)


def _compose(template: str, *names: sql.Identifier) -> sql.Composed:
    return sql.SQL(template).format(*names)


def _login(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user::text")
        (login,) = cursor.fetchone()
    return str(login)


_STATE = """
SELECT pg_has_role(current_user, event.relowner, 'MEMBER'),
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    has_table_privilege(event.oid, 'UPDATE') OR has_table_privilege(event.oid, 'DELETE')
        OR has_table_privilege(event.oid, 'TRUNCATE')
        OR has_table_privilege('audit_stream', 'UPDATE') OR has_table_privilege('audit_stream', 'DELETE'),
    ARRAY(
        SELECT sealed.name || ' (' || sealed.guard || ')'
        FROM (VALUES ('audit_leaf', 'audit_leaf_append_only'), ('audit_tile', 'audit_tile_grows'),
            ('audit_tile', 'audit_tile_stays'), ('audit_treestate', 'audit_treestate_grows'),
            ('audit_checkpoint', 'audit_checkpoint_append_only'), ('audit_log', 'audit_log_append_only'),
            ('audit_logkey', 'audit_logkey_retires')) AS sealed (name, guard)
        WHERE NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgrelid = sealed.name::regclass AND tgname = sealed.guard
                AND tgenabled = 'A')
        UNION ALL
        SELECT guarded.oid::regclass::text || ' (' || needed.name || ')'
        FROM pg_class AS guarded
        CROSS JOIN (VALUES ('audit_event_append_only'), ('audit_event_extends_stream'),
            ('audit_event_never_truncated')) AS needed (name)
        WHERE (guarded.oid = event.oid
                OR guarded.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = event.oid))
            AND NOT EXISTS (
                SELECT FROM pg_trigger
                WHERE tgrelid = guarded.oid AND tgname = needed.name AND tgenabled = 'A')
        ORDER BY 1)
FROM pg_class AS event WHERE event.oid = 'audit_event'::regclass
"""


def missing_protection() -> list[str]:
    """What keeps the log less safe than it could be, one sentence each; empty when nothing is missing."""
    with connections[APPLICATION].cursor() as cursor:
        cursor.execute(_STATE)
        owns, superuser, may_change, unguarded = cursor.fetchone()
    sentences = []
    if superuser:
        sentences.append(
            "The application's database login is a superuser: whoever controls the application can change "
            "the audit log. Give DATABASE_URL an ordinary login."
        )
    elif owns:
        sentences.append(
            "The application's database login owns the audit tables: whoever controls the application can "
            "lift what keeps the log append-only. Set DATABASE_OWNER_URL to a login of its own and run "
            "the migrations."
        )
    elif may_change:
        sentences.append(
            "The application's database login may change audit tables: run the migrations, which take that "
            "right away."
        )
    if _same_login(APPLICATION, SEALER):
        sentences.append(
            "The application and the sealer share one database login: set DATABASE_SEALER_URL to a login "
            "of its own."
        )
    if unguarded:
        sentences.append(
            f"The audit log's triggers are missing or switched off on {', '.join(unguarded)}: events there "
            "can be changed. Find out who did this, check the log with audit_fsck, and restore the triggers."
        )
    return sentences


def _same_login(one: str, other: str) -> bool:
    settings_of = [connections[alias].settings_dict for alias in (one, other)]
    return (
        len({(each.get("USER"), each.get("HOST"), str(each.get("PORT"))) for each in settings_of})
        == 1
    )

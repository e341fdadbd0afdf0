"""What PostgreSQL refuses, whoever asks: the application's login, the sealer's, the owner's."""

from itertools import product
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from psycopg import errors

from audit.actors import Actor
from audit.models import Event
from audit.protection import apply_grants, missing_protection
from audit.recorder import record
from audit.services.make_partitions import make_partitions
from tests.audit.conftest import Record

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"])

CHANGES = [
    "UPDATE {table} SET inserted_at = inserted_at",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "MERGE INTO {table} AS e USING audit_stream AS s ON e.stream = s.name WHEN MATCHED THEN DELETE",
]
OF_THE_OWNER = [
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} DISABLE TRIGGER audit_event_append_only",
    "DROP TABLE {table}",
    "ALTER TABLE {table} ALTER COLUMN leaf_hash DROP EXPRESSION",
    "ALTER TABLE {table} ADD COLUMN extra int",
    "CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
]


def partition() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM audit_event LIMIT 1")
        (name,) = cursor.fetchone()
    return str(name)


def refused(alias: str, statement: str) -> DatabaseError:
    with (
        pytest.raises(DatabaseError) as caught,
        transaction.atomic(using=alias),
        connections[alias].cursor() as cursor,
    ):
        cursor.execute(statement)
    return caught.value


@pytest.mark.parametrize("alias", ["default", "sealer"])
def test_application_and_sealer_cannot_change_events(recorded: Record, alias: str) -> None:
    recorded()
    for table, statement in product(("audit_event", partition()), CHANGES + OF_THE_OWNER):
        error = refused(alias, statement.format(table=table))
        assert isinstance(error.__cause__, errors.InsufficientPrivilege), statement
    assert Event.objects.count() == 1


def test_the_owner_meets_the_triggers_on_the_table_and_on_each_partition(
    recorded: Record,
) -> None:
    recorded()
    for table, statement in product(("audit_event", partition()), CHANGES):
        assert "append-only" in str(refused("owner", statement.format(table=table))), statement
    assert Event.objects.count() == 1


def test_an_upsert_cannot_change_an_event(recorded: Record) -> None:
    event = recorded()
    statement = (
        "INSERT INTO {table} (body, inserted_at) SELECT body, inserted_at FROM audit_event "
        "ON CONFLICT (id, inserted_at) DO UPDATE SET inserted_at = clock_timestamp()"
    )
    assert "append-only" in str(refused("owner", statement.format(table="audit_event")))
    event.refresh_from_db()


def test_triggers_fire_in_replication_mode_too(recorded: Record, superuser_url: str) -> None:
    recorded()
    with psycopg.connect(superuser_url) as superuser:
        superuser.execute("SET session_replication_role = replica")
        for statement in CHANGES[:3]:
            with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
                superuser.execute(statement.format(table="audit_event"))
            superuser.rollback()
            superuser.execute("SET session_replication_role = replica")


OTHER_WAYS = [
    "INSERT INTO audit_event (body) VALUES ('{}')",
    "UPDATE audit_stream SET seq = seq + 1",
    "INSERT INTO audit_stream (name) VALUES ('mine')",
    "DELETE FROM audit_stream",
    "DELETE FROM audit_pending",
    "UPDATE audit_disclosure SET name = name",
    "INSERT INTO audit_disclosure SELECT * FROM audit_disclosure",
    "UPDATE audit_subjectkey SET subject = subject",
    "SELECT * FROM audit_event_default",
    "SELECT audit_protect_partition('audit_event')",
]


def test_the_application_has_no_other_way_in(recorded: Record) -> None:
    recorded()
    for statement in OTHER_WAYS:
        error = refused("default", statement)
        assert isinstance(error.__cause__, errors.InsufficientPrivilege), statement


BY_HAND = [
    "UPDATE audit_stream SET seq = 0, head = NULL",
    "INSERT INTO audit_stream (name, seq, head) VALUES ('x', 5, '\\x00')",
    "DELETE FROM audit_stream",
    "TRUNCATE audit_stream",
]


def test_not_even_the_owner_moves_a_streams_head_by_hand(recorded: Record) -> None:
    recorded()
    for statement in BY_HAND:
        assert "append-only" in str(refused("owner", statement)), statement


def test_nobody_supplies_what_the_database_derives(recorded: Record) -> None:
    recorded()
    for column in ("leaf_hash", "id", "seq", "type", "actor_id", "occurred_at"):
        error = refused(
            "owner",
            f"INSERT INTO audit_event (body, {column}) SELECT body, {column} FROM audit_event",
        )
        assert isinstance(error.__cause__, errors.GeneratedAlways), column


def test_the_application_uses_every_other_table_and_those_to_come(superuser_url: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TABLE later (id bigserial PRIMARY KEY, word text)")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO later (word) VALUES ('a') RETURNING id")
        cursor.execute("UPDATE later SET word = 'b'")
        cursor.execute("DELETE FROM later")
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname = 'public' AND relkind IN ('r', 'p') AND relname NOT LIKE 'audit_%' "
            "AND NOT (has_table_privilege(pg_class.oid, 'SELECT') "
            "AND has_table_privilege(pg_class.oid, 'INSERT') "
            "AND has_table_privilege(pg_class.oid, 'UPDATE') "
            "AND has_table_privilege(pg_class.oid, 'DELETE'))"
        )
        assert cursor.fetchall() == []
    assert isinstance(
        refused("sealer", "SELECT * FROM later").__cause__, errors.InsufficientPrivilege
    )


def test_the_sealer_reads_events_and_takes_what_is_pending(recorded: Record) -> None:
    event = recorded()
    with connections["sealer"].cursor() as cursor:
        cursor.execute("SELECT id FROM audit_event")
        assert cursor.fetchall() == [(event.id,)]
        cursor.execute("DELETE FROM audit_pending RETURNING event")
        assert cursor.fetchall() == [(event.id,)]
    for statement in (
        "SELECT * FROM audit_disclosure",
        "SELECT * FROM audit_subjectkey",
        "SELECT audit_append('log', gen_random_uuid(), '', '', '', '', '{}', '{}', '{}', '{}')",
    ):
        assert isinstance(refused("sealer", statement).__cause__, errors.InsufficientPrivilege)


def test_grants_can_be_applied_again(recorded: Record) -> None:
    apply_grants()
    recorded()
    assert missing_protection() == []


def test_with_three_logins_nothing_is_missing() -> None:
    assert missing_protection() == []


def test_a_login_that_owns_the_tables_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.protection.APPLICATION", "owner")
    (sentence,) = missing_protection()
    assert "DATABASE_OWNER_URL" in sentence


def test_one_login_for_application_and_sealer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.protection.SEALER", "default")
    (sentence,) = missing_protection()
    assert "DATABASE_SEALER_URL" in sentence


def test_a_right_too_many_is_named(superuser_url: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute("GRANT UPDATE ON audit_event TO PUBLIC")
    (sentence,) = missing_protection()
    assert "may change audit tables" in sentence


@pytest.mark.parametrize("how", ["DISABLE TRIGGER", "ENABLE TRIGGER"])
def test_a_lifted_trigger_is_named_with_its_partition(superuser_url: str, how: str) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        superuser.execute(f"ALTER TABLE audit_event_default {how} audit_event_append_only")
    (sentence,) = missing_protection()
    assert "audit_event_default (audit_event_append_only)" in sentence


def test_partitions_are_made_ahead_and_are_protected_like_the_others(
    recorded: Record, superuser_url: str
) -> None:
    made = make_partitions(months_ahead=5)
    assert len(made) == 2
    assert make_partitions(months_ahead=5) == []
    assert missing_protection() == []
    for alias, words in (("default", "permission denied"), ("owner", "append-only")):
        for statement in CHANGES[:3]:
            if alias == "owner" and not statement.startswith("TRUNCATE"):
                continue  # row triggers have no row to fire for in an empty partition
            assert words in str(refused(alias, statement.format(table=made[0])))


def test_a_partition_holds_the_month_of_its_name_in_utc(superuser_url: str) -> None:
    with psycopg.connect(superuser_url) as superuser:
        (name, bounds) = superuser.execute(
            "SELECT relname, pg_get_expr(relpartbound, pg_class.oid) FROM pg_class "
            "JOIN pg_inherits ON inhrelid = pg_class.oid WHERE inhparent = 'audit_event'::regclass "
            "AND relname <> 'audit_event_default' ORDER BY relname DESC LIMIT 1"
        ).fetchone() or ("", "")
    year, month = name.removeprefix("audit_event_").split("_")
    assert f"FROM ('{year}-{month}-01 00:00:00+00')" in bounds


def test_a_month_that_lies_in_the_default_partition_stays_there(
    recorded: Record, superuser_url: str
) -> None:
    recorded()
    with psycopg.connect(superuser_url, autocommit=True) as superuser:
        current = partition()
        superuser.execute(f"ALTER TABLE audit_event DETACH PARTITION {current}")
        superuser.execute(f"ALTER TABLE {current} RENAME TO elsewhere")
    recorded(stream="policy")
    assert partition() == "audit_event_default"
    assert make_partitions() == []
    assert Event.objects.count() == 1


def test_partitions_wait_for_nobody(superuser_url: str, recorded: Record) -> None:
    with psycopg.connect(superuser_url) as superuser:
        superuser.execute("LOCK TABLE audit_event IN ACCESS SHARE MODE")
        assert make_partitions(months_ahead=5) == []
    assert len(make_partitions(months_ahead=5)) == 2


def test_the_application_can_still_record(recorded: Record, some_run: Any) -> None:
    with transaction.atomic():
        record(type="run.started", actor=Actor.system("test"), stream=f"run:{some_run}")
    assert Event.objects.count() == 1

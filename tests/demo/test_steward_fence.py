"""data-steward's login: what it is, what it may do, and that nothing runs as anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from pytest_django import Settings

from countersign.embedded.layout import LOGINS
from demo.steward import checks, functions
from demo.steward import session as sessions
from demo.steward.catalogue import TABLES
from demo.steward.changing import try_out
from demo.steward.fence import breaches
from demo.steward.grammar import NotAllowed, check_query
from demo.steward.grants import let_in, statements
from demo.steward.reading import read
from demo.steward.session import (
    NoLogin,
    Session,
    Unreachable,
    open_session,
    prove_login,
    session_of,
)
from tests.demo.steward_shop import LONG_ENOUGH, StewardShop, opened
from tests.harness.environment import TestProcess

STEWARD = LOGINS["steward"]


@pytest.fixture
def shop(test_process: TestProcess) -> Iterator[StewardShop]:
    yield from opened(test_process.cluster, f"{test_process.database}_fence")


def test_the_login_that_the_set_up_makes_is_fenced_in(shop: StewardShop) -> None:
    with shop.session() as session:
        assert breaches(session) == []


def test_it_owns_nothing_and_is_a_member_of_nothing(shop: StewardShop) -> None:
    (attributes,) = shop.as_superuser(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolinherit, "
        "(SELECT count(*) FROM pg_auth_members WHERE member = r.oid), "
        "(SELECT count(*) FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o') "
        f"FROM pg_roles r WHERE rolname = '{STEWARD}'"
    )
    assert attributes == (False, False, False, False, False, False, 0, 0)


def test_it_reaches_the_tables_of_the_catalogue_and_its_own_ledger_only(shop: StewardShop) -> None:
    reached = shop.as_superuser(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p', 'v', 'm', 'f') AND ("
        f"has_table_privilege('{STEWARD}', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') "
        f"OR has_any_column_privilege('{STEWARD}', oid, 'SELECT, INSERT, UPDATE, REFERENCES'))"
    )
    assert {name for (name,) in reached} == {*TABLES, "demo_stewardchange", "demo_stewardrow"}


@pytest.mark.parametrize("right", ["SELECT", "UPDATE"])
def test_its_rights_on_columns_are_those_of_the_catalogue(shop: StewardShop, right: str) -> None:
    found = shop.as_superuser(
        "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped "
        "AND relname NOT LIKE 'demo_steward%' "
        f"AND has_column_privilege('{STEWARD}', attrelid, attnum, '{right}')"
    )
    expected = {
        (table.name, column)
        for table in TABLES.values()
        for column in (table.readable if right == "SELECT" else table.writable)
    }
    assert set(found) == expected


def test_all_that_the_trigger_writes_down_may_be_read_anyhow(shop: StewardShop) -> None:
    for table in TABLES.values():
        if table.changeable:
            columns = shop.as_superuser(
                f"SELECT attname FROM pg_attribute WHERE attrelid = '{table.name}'::regclass AND attnum > 0"
            )
            assert {name for (name,) in columns} == table.readable


BREACHES = {
    "another table": ("GRANT SELECT ON accounts_user TO {}", "reaches the table accounts_user"),
    "a column": ("GRANT SELECT (id) ON agents_run TO {}", "reaches the table agents_run"),
    "everybody's table": ("GRANT SELECT ON audit_event TO PUBLIC", "reaches the table audit_event"),
    "payments": ("GRANT UPDATE ON demo_payment TO {}", "demo_payment more than"),
    "its ledger": ("GRANT DELETE ON demo_stewardrow TO {}", "demo_stewardrow more than"),
    "temporary tables": ("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC", "temporary tables"),
    "its schema": ("GRANT CREATE ON SCHEMA public TO {}", "schema public"),
    "a sequence": ("GRANT USAGE ON SEQUENCE demo_order_id_seq TO {}", "sequence demo_order_id_seq"),
    "a door": (
        "CREATE FUNCTION door() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'",
        r"It may call door\(\)",
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_login_that_may_do_more_is_not_used(shop: StewardShop, breach: str) -> None:
    does, words = BREACHES[breach]
    shop.as_superuser(does.format(STEWARD, database=shop.database))
    with pytest.raises(NoLogin, match=words):
        with shop.session() as session:
            session.execute("SELECT 1")


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    {
        "SUPERUSER": "It is a superuser.",
        "CREATEROLE": "It may create roles.",
        "CREATEDB": "It may create databases.",
        "REPLICATION": "It may replicate.",
        "BYPASSRLS": "It passes row security.",
        "INHERIT": "It inherits rights (make it NOINHERIT).",
        "IN ROLE pg_read_all_data": "It is a member of another role.",
    }.items(),
)
def test_an_attribute_too_many_is_seen(shop: StewardShop, attribute: str, sentence: str) -> None:
    with a_twin(shop, f"NOINHERIT {attribute}".replace("NOINHERIT INHERIT", "INHERIT")) as session:
        assert sentence in breaches(session)


def test_a_table_of_its_own_is_seen(shop: StewardShop) -> None:
    with a_twin(
        shop, "NOINHERIT", "CREATE TABLE own (id int); ALTER TABLE own OWNER TO {}"
    ) as session:
        assert "It owns something." in breaches(session)
    with a_twin(shop, "NOINHERIT") as session:
        assert "It owns something." not in breaches(session)


@contextmanager
def a_twin(
    shop: StewardShop, attributes: str, has_done: str = ""
) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A session of a role of this test's own: the steward is the whole cluster's, which other tests use too."""
    role = f"{shop.database}_twin"
    with psycopg.connect(shop.cluster.superuser_url(shop.database)) as session:
        session.execute(f"CREATE ROLE {role} {attributes}")
        session.execute(functions.grant(role))
        if has_done:
            session.execute(has_done.format(role))
        session.execute(f"SET LOCAL SESSION AUTHORIZATION {role}")
        yield session
        session.rollback()


@pytest.mark.parametrize("login", ["app", "owner", "sealer"])
def test_the_houses_own_logins_are_not_used(shop: StewardShop, login: str) -> None:
    url = shop.cluster.url(login, shop.database)
    with pytest.raises(NoLogin, match="not fenced in"):
        with session_of(url, LONG_ENOUGH, writing=False):
            raise AssertionError("it was let in")


def test_without_a_login_nothing_runs_on_the_applications(settings: Settings) -> None:
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(update={"demo_steward_url": ""})
    with pytest.raises(NoLogin, match="COUNTERSIGN_DEMO_STEWARD_URL"):
        with open_session():
            raise AssertionError("it was let in")
    (warning,) = checks.steward_has_a_login(None)
    assert "data-steward can read and change nothing" in warning.msg


def test_a_login_that_may_not_look_up_what_it_may_do_is_not_used(shop: StewardShop) -> None:
    with psycopg.connect(shop.cluster.url("owner", shop.database), autocommit=True) as owner:
        owner.execute(f"REVOKE EXECUTE ON FUNCTION has_table_privilege(oid, text) FROM {STEWARD}")
        with pytest.raises(NoLogin, match=r"manage\.py migrate"):
            with shop.session():
                raise AssertionError("it was let in")
        for granted in statements(STEWARD, shop.database):
            owner.execute(granted)
    with shop.session() as session:
        assert breaches(session) == []


def test_migrating_again_takes_back_a_function_that_is_not_on_the_list(shop: StewardShop) -> None:
    with psycopg.connect(shop.cluster.url("owner", shop.database), autocommit=True) as owner:
        owner.execute(f"GRANT EXECUTE ON FUNCTION repeat(text, int) TO {STEWARD}")
        for granted in statements(STEWARD, shop.database):
            owner.execute(granted)
    may = f"SELECT has_function_privilege('{STEWARD}', 'repeat(text, int)', 'EXECUTE')"
    assert shop.as_superuser(may) == [(False,)]


AS_ELSEWHERE = f"""
DO $$
DECLARE
    everybodys text;
BEGIN
    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO everybodys
      FROM pg_proc AS p, aclexplode(p.proacl) AS held
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND held.grantee = '{LOGINS["sealer"]}'::regrole;
    EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', everybodys);
    EXECUTE format('REVOKE EXECUTE ON ROUTINE %s FROM {LOGINS["owner"]} CASCADE', everybodys);
END
$$
"""


def test_where_everybody_may_call_everything_the_owner_grants_nothing_and_the_login_works(
    shop: StewardShop,
) -> None:
    """As in a PostgreSQL that is not ours."""
    shop.as_superuser(AS_ELSEWHERE)
    with psycopg.connect(shop.cluster.url("owner", shop.database), autocommit=True) as owner:
        for granted in statements(STEWARD, shop.database):
            owner.execute(granted)
    granted_to_it = shop.as_superuser(
        f"SELECT 1 FROM pg_proc, aclexplode(proacl) WHERE grantee = '{STEWARD}'::regrole"
    )
    assert granted_to_it == []
    change = "UPDATE demo_customer SET city = 'Hamburg' WHERE id = 1"
    with shop.session(writing=True) as session:
        assert breaches(session) == []
        assert [row.after for row in try_out(session, change)] != []
    with shop.session() as session:
        assert read(session, "SELECT count(*) FROM demo_order").rows == ((40,),)
    # There the list alone stops it.
    with pytest.raises(NotAllowed):
        check_query("SELECT set_config('statement_timeout', '0', false)")
    with shop.session() as session:
        assert read(session, "SELECT set_config('statement_timeout', '0', false)").rows


def test_a_session_that_became_somebody_else_runs_nothing(shop: StewardShop) -> None:
    with psycopg.connect(shop.cluster.superuser_url(shop.database)) as session:
        session.execute(f'SET SESSION AUTHORIZATION "{STEWARD}"')
        prove_login(session, STEWARD)
        session.execute("RESET SESSION AUTHORIZATION")
        with pytest.raises(NoLogin, match="nothing was run"):
            prove_login(session, STEWARD)


def test_a_session_of_another_fenced_login_runs_nothing(
    shop: StewardShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a pooler in between hands out somebody else's session."""
    twin = f"{shop.database}_other"
    shop.as_superuser(f"CREATE ROLE {twin} NOINHERIT")
    with psycopg.connect(shop.cluster.url("owner", shop.database), autocommit=True) as owner:
        for granted in statements(twin, shop.database):
            owner.execute(granted)

    def somebody_elses(_url: str, _seconds: float) -> Session:
        bounds = "-c default_transaction_read_only=on -c statement_timeout=1000"
        session = psycopg.connect(
            shop.cluster.superuser_url(shop.database), autocommit=True, options=bounds
        )
        session.execute(f"SET SESSION AUTHORIZATION {twin}")
        return session

    monkeypatch.setattr(sessions, "_connected", somebody_elses)
    try:
        with pytest.raises(NoLogin, match=f"not one of {STEWARD}"):
            with shop.session():
                raise AssertionError("it was let in")
    finally:
        shop.as_superuser(f"DROP OWNED BY {twin} CASCADE")
        ((called,),) = shop.as_superuser(
            "SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc, aclexplode(proacl) "
            f"WHERE grantee = '{twin}'::regrole"
        )
        # Whoever granted them takes them back.
        with psycopg.connect(shop.cluster.url("owner", shop.database), autocommit=True) as owner:
            owner.execute(f"REVOKE EXECUTE ON ROUTINE {called} FROM {twin}")
        shop.as_superuser(f"DROP ROLE {twin}")


def test_a_server_that_is_away_is_said_to_be(shop: StewardShop) -> None:
    url = shop.url.replace(shop.database, "nowhere")
    with pytest.raises(Unreachable):
        with session_of(url, LONG_ENOUGH, writing=False):
            raise AssertionError("it was let in")


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
@pytest.mark.parametrize(
    ("login", "words"), [("app", "of the alias default"), ("nobody", "does not have")]
)
def test_the_set_up_refuses_a_login_that_will_not_do(
    settings: Settings, test_process: TestProcess, login: str, words: str
) -> None:
    name = LOGINS.get(login, login)
    settings.COUNTERSIGN = settings.COUNTERSIGN.model_copy(
        update={"demo_steward_url": f"postgresql://{name}@/{test_process.database}"}
    )
    with pytest.raises(ImproperlyConfigured, match=words):
        let_in(using="owner")


@pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"])
def test_migrating_again_takes_back_what_was_granted_beside_it(
    superuser_url: str, test_process: TestProcess
) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as session:
        session.execute(f"SET ROLE {LOGINS['owner']}")
        session.execute(f"GRANT SELECT ON agents_run TO {STEWARD}")
    with pytest.raises(NoLogin, match="agents_run"):
        with open_session():
            raise AssertionError("it was let in")
    call_command("migrate", verbosity=0, interactive=False)
    with open_session() as session:
        assert breaches(session) == []

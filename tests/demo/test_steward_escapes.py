"""Ways out that a statement might try: each is stopped by the list, and again by the database alone.

The database alone means: the statement goes to the steward's login unread, by the paths that the tools use.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.embedded.layout import LOGINS
from demo.steward.changing import apply
from demo.steward.faults import Refused
from demo.steward.functions import OWN
from demo.steward.grammar import LONGEST, NotAllowed, check_change, check_query
from demo.steward.reading import MOST_CHARACTERS, MOST_ROWS, read
from demo.steward.vocabulary import FUNCTIONS
from tests.demo.steward_shop import StewardShop, opened
from tests.harness.environment import TestProcess


@pytest.fixture(scope="module")
def shop(test_process: TestProcess) -> Iterator[StewardShop]:
    yield from opened(test_process.cluster, f"{test_process.database}_escapes")


@pytest.fixture
def nothing_changes(shop: StewardShop) -> Iterator[None]:
    """After every escape the shop's rows and the ledger are what they were."""
    before = shop.state()
    yield
    assert shop.state() == before
    assert shop.as_superuser("SELECT count(*) FROM demo_stewardchange") == [(0,)]


unchanged = pytest.mark.usefixtures("nothing_changes")
STOPPED = {
    "a program": "COPY demo_customer TO PROGRAM 'id > /tmp/stolen'",
    "a program's words": "COPY demo_customer (name) FROM PROGRAM 'id'",
    "a file": "COPY demo_customer TO '/tmp/stolen'",
    "a file in": "COPY demo_customer (name) FROM '/etc/passwd'",
    "the client's stream": "COPY demo_customer TO STDOUT",
    "commit": "COMMIT",
    "commit and more": "COMMIT; DELETE FROM demo_customer",
    "two statements": "SELECT 1; DELETE FROM demo_customer",
    "a change behind a query": "SELECT 1; UPDATE demo_customer SET note = 'x' WHERE id = 3",
    "a chain behind a comment": "SELECT 1 /* ; */; -- \nDROP TABLE demo_customer",
    "rollback": "ROLLBACK",
    "begin": "BEGIN READ WRITE",
    "a savepoint": "SAVEPOINT here",
    "another mode": "SET TRANSACTION READ WRITE",
    "set role": "SET ROLE countersign_owner",
    "set role in one breath": "SELECT 1; SET ROLE countersign_owner; DROP TABLE demo_customer",
    "session authorization": "SET SESSION AUTHORIZATION postgres",
    "reset role": "RESET ROLE",
    "no more limits": "SET statement_timeout = 0",
    "alter oneself": "ALTER ROLE CURRENT_USER SET statement_timeout = 0",
    "a function made here": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a table": "CREATE TABLE copied AS SELECT * FROM demo_customer",
    "a temporary table": "CREATE TEMP TABLE copied AS SELECT * FROM demo_customer",
    "a view": "CREATE VIEW seen AS SELECT * FROM demo_customer",
    "a rule": "CREATE RULE r AS ON UPDATE TO demo_customer DO INSTEAD NOTHING",
    "a trigger": "DROP TRIGGER demo_steward_watch ON demo_customer",
    "no trigger": "ALTER TABLE demo_customer DISABLE TRIGGER ALL",
    "truncate": "TRUNCATE demo_customer CASCADE",
    "drop": "DROP TABLE demo_customer CASCADE",
    "grant": "GRANT ALL ON demo_payment TO countersign_steward",
    "do": "DO $$ BEGIN DELETE FROM demo_customer; END $$",
    "do with a tag": "DO $steward$ BEGIN PERFORM pg_sleep(60); END $steward$",
    "call": "CALL something()",
    "listen": "LISTEN anything",
    "notify": "NOTIFY anything, 'words'",
    "prepare": "PREPARE mine AS DELETE FROM demo_customer",
    "execute": "EXECUTE steward",
    "deallocate": "DEALLOCATE ALL",
    "discard": "DISCARD ALL",
    "a cursor": "DECLARE mine CURSOR FOR SELECT 1",
    "explain": "EXPLAIN SELECT * FROM demo_customer",
    "explain that does it": "EXPLAIN ANALYZE DELETE FROM demo_customer WHERE id = 3",
    "vacuum": "VACUUM demo_customer",
    "lock": "LOCK TABLE demo_customer IN ACCESS EXCLUSIVE MODE",
    "load": "LOAD '/tmp/library.so'",
    "checkpoint": "CHECKPOINT",
    "a comment": "COMMENT ON TABLE demo_customer IS 'mine'",
    "show": "SHOW ALL",
    "select into": "SELECT * INTO stolen FROM demo_customer",
    "select into temporary": "SELECT * INTO TEMP stolen FROM demo_customer",
    "a change in a query": "WITH gone AS (DELETE FROM demo_refund RETURNING *) SELECT * FROM gone",
    "merge": (
        "MERGE INTO demo_payment p USING demo_order o ON p.order_id = o.id WHEN MATCHED THEN UPDATE SET amount = 0"
    ),
    "a file's bytes": "SELECT pg_read_file('/etc/passwd')",
    "a folder": "SELECT pg_ls_dir('/')",
    "bytes of the server": "SELECT pg_read_binary_file('PG_VERSION')",
    "a large object of a file": "SELECT lo_import('/etc/passwd')",
    "a large object to a file": "SELECT lo_export(1, '/tmp/stolen')",
    "dblink": "SELECT dblink('host=/tmp', 'SELECT 1')",
    "passwords": "SELECT rolpassword FROM pg_authid",
    "passwords by another name": "SELECT * FROM pg_catalog.pg_authid",
    "passwords in a view": "SELECT passwd FROM pg_shadow",
    "passwords, spelled": 'SELECT * FROM U&"pg\\005fauthid"',
    "passwords behind a cte": (
        "WITH a AS (SELECT * FROM pg_authid), pg_authid AS (SELECT 1 AS id) SELECT * FROM a"
    ),
    "passwords beside a cte": (
        "SELECT * FROM pg_authid, (WITH pg_authid AS (SELECT 1 AS id) SELECT id FROM pg_authid) x"
    ),
    "a setting of the server": "SELECT * FROM pg_hba_file_rules",
    "the server's log": "SELECT pg_rotate_logfile()",
    "the server's settings": "SELECT pg_reload_conf()",
    "everybody's accounts": "SELECT * FROM accounts_user",
    "the audit log": "SELECT * FROM audit_event",
    "runs": "SELECT * FROM public.agents_run",
    "requests": "SELECT * FROM approvals_approvalrequest",
    "mail": "SELECT * FROM demo_sentmail",
    "a key of a refund": "SELECT idempotency_key FROM demo_refund",
    "an append to the log": "SELECT audit_append('a', NULL, '', '', '', '', '{}', '{}', '{}', '{}')",
    "a sequence": "SELECT nextval('demo_order_id_seq')",
    "a sequence set": "SELECT setval('demo_order_id_seq', 1)",
    "somebody's session": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "a sleep": "SELECT pg_sleep(60)",
    "a sleep, spelled": 'SELECT U&"\\0070g_sleep"(60)',
    "a sleep by its schema": "SELECT pg_catalog.pg_sleep(60)",
    "a series without end": "SELECT count(*) FROM generate_series(1, 100000000000)",
    "a recursion without end": (
        "WITH RECURSIVE r AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM r) SELECT count(*) FROM r"
    ),
    "a recursion by a table's name": (
        "WITH RECURSIVE demo_customer AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM demo_customer) "
        "SELECT count(*) FROM demo_customer"
    ),
    "money": "UPDATE demo_payment SET amount = 1 WHERE id = 1",
    "a customer's address": "UPDATE demo_customer SET email = 'me@evil.example' WHERE id = 1",
    "a refund": (
        "INSERT INTO demo_refund (order_id, amount, idempotency_key, state) VALUES (1, 9, 'k', 'paid')"
    ),
    "the ledger": "DELETE FROM demo_stewardrow WHERE id > 0",
    "the information schema": "SELECT * FROM information_schema.tables",
    "who is there": "SELECT usename FROM pg_stat_activity",
    "a setting": "SELECT set_config('statement_timeout', '0', false)",
    "a lock": "SELECT pg_advisory_lock(1)",
    "a notification": "SELECT pg_notify('anything', 'words')",
    "a long text": "SELECT repeat('x', 100000)",
    "a padded text": "SELECT 'x'::char(100000)",
    "a joined text": "SELECT name || name FROM demo_customer",
    "a query in a text": "SELECT query_to_xml('SELECT name FROM demo_customer', true, true, '')",
    "a function by a dot": "SELECT c.row_to_json FROM demo_customer AS c",
    "a function by a dot, excused": (
        "SELECT c.row_to_json FROM demo_customer AS c, (SELECT 1 AS row_to_json) AS x"
    ),
    "an operator by its schema": "SELECT 'a' OPERATOR(pg_catalog.||) 'b'",
    "rows out of a function": "SELECT * FROM json_each('{}')",
    "a random number": "SELECT random()",
    "the clock of now": "SELECT clock_timestamp()",
    "a number of a transaction": "SELECT pg_current_xact_id()",
    "a snapshot": "SELECT pg_export_snapshot()",
    "statistics": "SELECT pg_stat_reset()",
    "a large object": "SELECT lo_create(0)",
    "a word in the server's journal": "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "a lock that is tried": "SELECT pg_try_advisory_xact_lock_shared(1)",
    "somebody's statement": "SELECT pg_cancel_backend(1)",
    "a formatted text": "SELECT format('%999999s', 'x')",
    "a text of rows": "SELECT string_agg(name, ',') FROM demo_customer",
    "a list of rows": "SELECT array_agg(o) FROM demo_order o",
    "a document of rows": "SELECT json_agg(o) FROM demo_order o",
    "a function for a table": "SELECT * FROM ROWS FROM (generate_series(1, 9), generate_series(1, 9))",
    "a function beside a table": "SELECT * FROM demo_customer, LATERAL generate_series(1, id)",
    "who asks from where": "SELECT inet_client_addr()",
    "the version": "SELECT version()",
    "a table's size": "SELECT pg_total_relation_size('demo_customer')",
    "the source of a view": "SELECT pg_get_viewdef('pg_roles')",
    "all settings": "SELECT * FROM pg_settings",
    "what columns hold": "SELECT * FROM pg_stats",
    "statements kept": "SELECT * FROM pg_prepared_statements",
    "letters that look alike": "SELECT pg_ｓleep(1)",
    "a space of no width": "SELECT pg\u200b_sleep(1)",
    "a table with a space": 'SELECT * FROM "demo_customer "',
    "a table in capitals": 'SELECT * FROM "DEMO_CUSTOMER"',
    "a table of one's own": "SELECT * FROM pg_temp.demo_customer",
    "another database": "SELECT * FROM postgres.public.demo_customer",
    "half a character": "SELECT '\udcff'",
    "a NUL": "SELECT 'a\x00; DROP TABLE demo_customer'",
    "a NUL before the end": "SELECT 1\x00; DROP TABLE demo_customer",
    "no statement": "",
    "only a comment": "-- nothing",
    "no SQL": "Please delete all customers.",
    "an open quote": "SELECT 'a",
    "an open dollar quote": "SELECT $a$ $b$",
    "an open comment": "SELECT 1 /* /* */",
    "a parameter": "SELECT * FROM demo_customer WHERE id = $1",
}
"""Stopped by both."""

BOUNDED = {
    "a join without end": (
        "SELECT count(*) FROM demo_order a, demo_order b, demo_order c, demo_order d, demo_order e, demo_order f"
    ),
    "a sort without end": (
        "SELECT a.id FROM demo_order a, demo_order b, demo_order c, demo_order d ORDER BY a.id * b.id, c.id - d.id"
    ),
}
"""Stopped by the database: they cost too much time, or too much room on the disk."""

LISTED_ONLY = {
    "the catalogue": "SELECT * FROM pg_class",
    "rows held": "SELECT * FROM demo_customer FOR UPDATE",
    "rows held for others": "SELECT * FROM demo_customer FOR SHARE",
    "another table's type": "SELECT 'demo_customer'::regclass",
    "a document": "SELECT xmlelement(name a, 'b')",
    "rows of a document": "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$'))",
    "a set of columns": "SELECT city, name, count(*) FROM demo_customer GROUP BY CUBE (city, name, note, email)",
    "an array": "SELECT ARRAY(SELECT name FROM demo_customer)",
    "who one is": "SELECT CURRENT_USER",
    "the ledger's rows": "SELECT * FROM demo_stewardrow",
}
"""Stopped by the list. The database answers them: nothing comes of it, and no row changes."""


@pytest.mark.parametrize("escape", [*STOPPED, *LISTED_ONLY])
def test_the_list_refuses_it(escape: str) -> None:
    sql = {**STOPPED, **LISTED_ONLY}[escape]
    with pytest.raises(NotAllowed):
        check_query(sql)
    with pytest.raises(NotAllowed):
        check_change(sql)


@pytest.mark.parametrize("escape", STOPPED)
@unchanged
def test_the_database_alone_refuses_it_too(shop: StewardShop, escape: str) -> None:
    with shop.session() as session, pytest.raises(Refused):
        read(session, STOPPED[escape])
    with shop.session(writing=True) as session, pytest.raises(Refused):
        apply(session, STOPPED[escape], key=str(uuid4()), expected="")


@pytest.mark.parametrize("escape", BOUNDED)
@unchanged
def test_what_costs_too_much_is_stopped(shop: StewardShop, escape: str) -> None:
    with shop.session() as session, pytest.raises(Refused, match=r"too long|too much space"):
        read(session, BOUNDED[escape])


@pytest.mark.parametrize("escape", LISTED_ONLY)
@unchanged
def test_what_the_database_alone_answers_is_short_and_changes_nothing(
    shop: StewardShop, escape: str
) -> None:
    with shop.session() as session:
        try:
            found = read(session, LISTED_ONLY[escape])
        except Refused:
            return
        assert len(found.rows) <= MOST_ROWS
        assert sum(len(str(cell)) for row in found.rows for cell in row) <= MOST_CHARACTERS
    with psycopg.connect(shop.cluster.superuser_url(shop.database)) as watch:
        held = watch.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchone()
        assert held == (0,)


CHANGES = {
    "all rows": "UPDATE demo_customer SET note = 'x'",
    "all rows gone": "DELETE FROM demo_customer",
    "orders gone": "DELETE FROM demo_order WHERE id = 1",
    "another schema": "UPDATE pg_catalog.demo_customer SET note = 'x' WHERE id = 1",
    "the key": "UPDATE demo_customer SET id = 9 WHERE id = 1",
    "an order's total": "UPDATE demo_order SET total = 0 WHERE id = 1",
    "two columns at once": "UPDATE demo_customer SET (note, email) = ('a', 'b') WHERE id = 1",
    "a part of a column": "UPDATE demo_customer SET note.part = 'x' WHERE id = 1",
    "a default": "UPDATE demo_customer SET note = DEFAULT WHERE id = 1",
    "what came back": "UPDATE demo_customer SET note = 'x' WHERE id = 1 RETURNING *",
    "the time of day": "UPDATE demo_order SET delivered_on = CURRENT_DATE WHERE id = 1",
    "a function": "UPDATE demo_customer SET note = current_setting('data_directory') WHERE id = 1",
    "passwords for a note": (
        "UPDATE demo_customer SET note = (SELECT rolpassword FROM pg_authid LIMIT 1) WHERE id = 1"
    ),
    "a change in a change": (
        "WITH x AS (DELETE FROM demo_customer WHERE id = 3 RETURNING id) "
        "UPDATE demo_customer SET note = 'x' WHERE id IN (SELECT id FROM x)"
    ),
    "on conflict": (
        "INSERT INTO demo_customer (name) VALUES ('x') ON CONFLICT (name) DO UPDATE SET note = 'x'"
    ),
    "a with for a target": (
        "WITH demo_payment AS (SELECT 1 AS id) UPDATE demo_payment SET amount = 1 WHERE id = 1"
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_list_refuses_the_change(change: str) -> None:
    with pytest.raises(NotAllowed):
        check_change(CHANGES[change])


def test_a_huge_statement_is_refused_before_it_is_read() -> None:
    with pytest.raises(NotAllowed, match="longer than"):
        check_query("SELECT " + "1 + " * LONGEST + "1")


@pytest.mark.parametrize(
    ("opens", "middle", "closes"),
    [
        ("(SELECT ", "1", ")"),
        ("NOT ", "true", ""),
        ("lower(", "'a'", ")"),
        ("CASE WHEN true THEN ", "1", " END"),
        ("1 IN (", "1", ")"),
        ("EXISTS (SELECT ", "1", ")"),
        ("ARRAY[", "1", "]"),
    ],
)
def test_what_is_nested_too_deeply_is_refused(opens: str, middle: str, closes: str) -> None:
    depth = (LONGEST - 20) // (len(opens) + len(closes))
    with pytest.raises(NotAllowed):
        check_query(f"SELECT {opens * depth}{middle}{closes * depth}")


def test_a_statement_of_very_many_parts_is_refused() -> None:
    with pytest.raises(NotAllowed, match="too complicated"):
        check_query("SELECT " + ",".join(["1"] * 1_500))


@given(st.text(max_size=200))
def test_any_text_is_refused_or_a_select(text: str) -> None:
    for check in (check_query, check_change):
        try:
            check(text)
        except NotAllowed:
            continue
        raise AssertionError(f"{text!r} was taken")


PIECES = (
    "SELECT FROM WHERE demo_customer pg_authid name pg_sleep ( ) * , ; 1 = 'a' WITH AS x DELETE UPDATE SET "
    "UNION ALL INTO FOR LIMIT COPY DO $$ :: regclass text AND OR NOT EXISTS c . ctid"
)


@given(
    st.lists(
        st.sampled_from(PIECES.split()),
        max_size=20,
    )
)
def test_what_is_taken_names_nothing_that_is_not_on_the_list(words: list[str]) -> None:
    sql = " ".join(["SELECT", *words])
    try:
        check_query(sql)
    except NotAllowed:
        return
    # DELETE, UPDATE and COPY are no reserved words: a column may be called so.
    forbidden = {"pg_authid", "pg_sleep", "INTO", "regclass", "ctid"}
    # A name may still be given to a column; then it is read from nowhere.
    for place, word in enumerate(["SELECT", *words]):
        if word in forbidden:
            assert word.islower(), sql
            before = ["SELECT", *words][place - 1]
            after = [*words, ""][place]
            assert after != "(", sql
            assert before not in {"FROM", "::"}, sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT name, city FROM demo_customer WHERE name ILIKE 'acme%' ORDER BY name LIMIT 5",
        "SELECT count(*) FROM demo_order WHERE delivered_on - placed_on > 5 AND delivered_on >= DATE '2026-10-01'",
        "SELECT date_trunc('month', delivered_on)::date, count(*) FROM demo_order GROUP BY 1 HAVING count(*) > 1",
        "SELECT c.name, sum(o.total) AS spent FROM demo_customer c JOIN demo_order o ON o.customer_id = c.id "
        "GROUP BY c.name ORDER BY spent DESC",
        "WITH big AS (SELECT * FROM demo_order WHERE total > 10), few AS (SELECT number FROM big) "
        "SELECT number FROM few WHERE number IN (SELECT number FROM demo_order)",
        "SELECT number, rank() OVER (PARTITION BY status ORDER BY total DESC) FROM demo_order",
        "SELECT lower(trim(name)), min(id) FROM demo_customer GROUP BY 1",
        "SELECT CASE WHEN total > 5 THEN 'much' ELSE 'little' END, coalesce(status, '') FROM demo_order LIMIT 1",
        "SELECT extract(month FROM placed_on), CURRENT_DATE - INTERVAL '1 month' FROM demo_order LIMIT 1",
        "SELECT name FROM demo_customer WHERE EXISTS (SELECT 1 FROM demo_order WHERE customer_id = demo_customer.id)",
        "SELECT id FROM demo_order WHERE id BETWEEN 1 AND 3 UNION SELECT id FROM demo_payment EXCEPT SELECT 2",
        "SELECT state, amount FROM demo_refund WHERE settled_at IS NULL",
        "SELECT 5::text, '7'::text::int, '2026-10-01'::text::date, greatest(1, 2.5), nullif(1, 1)",
        "SELECT DISTINCT c.city, min(c.name), bool_and(o.total > 1) FROM demo_customer c LEFT JOIN demo_order o "
        "ON o.customer_id = c.id AND o.placed_on IS DISTINCT FROM DATE '2026-01-01' GROUP BY c.city",
        "SELECT substring(number from 5)::int FROM demo_order WHERE status IN ('paid', 'delivered') LIMIT 1",
    ],
)
@unchanged
def test_ordinary_questions_are_answered(shop: StewardShop, sql: str) -> None:
    check_query(sql)
    with shop.session() as session:
        read(session, sql)


@unchanged
def test_an_answer_stops_at_its_row_cap(shop: StewardShop) -> None:
    with shop.session() as session:
        found = read(session, "SELECT a.id FROM demo_order a, demo_order b")
    assert (len(found.rows), found.truncated) == (MOST_ROWS, True)


@unchanged
def test_an_answer_stops_at_its_size(shop: StewardShop) -> None:
    with shop.session() as session:
        found = read(session, f"SELECT '{'x' * 6_000}' FROM demo_order")
    assert (len(found.rows), found.truncated) == (MOST_CHARACTERS // 6_000, True)


@unchanged
def test_a_short_number_with_many_digits_fills_no_memory(shop: StewardShop) -> None:
    check_query(sql := "SELECT 1e131000, id FROM demo_order")
    with shop.session() as session:
        found = read(session, sql)
    assert (found.columns, found.rows, found.truncated) == (("?column?", "id"), (), True)


@unchanged
def test_an_answer_of_very_many_columns_is_refused(shop: StewardShop) -> None:
    with shop.session() as session, pytest.raises(Refused, match="60 columns"):
        read(session, "SELECT " + ", ".join(["1e131000"] * 60))


@unchanged
def test_a_change_of_more_text_than_a_person_reads_is_refused(shop: StewardShop) -> None:
    check_change(sql := "UPDATE demo_customer SET note = 1e131000 WHERE id = 1")
    with shop.session(writing=True) as session, pytest.raises(Refused, match="characters of text"):
        apply(session, sql, key=str(uuid4()), expected="")


@unchanged
def test_an_answer_without_rows_has_its_columns(shop: StewardShop) -> None:
    with shop.session() as session:
        found = read(session, "SELECT id, name FROM demo_customer WHERE id < 0")
    assert (found.columns, found.rows, found.truncated) == (("id", "name"), (), False)


@unchanged
def test_of_everybodys_functions_it_may_call_none_that_does_or_makes_anything(
    shop: StewardShop,
) -> None:
    callable_ = shop.as_superuser(
        "SELECT proname, provolatile, proretset FROM pg_proc "
        f"WHERE has_function_privilege('{LOGINS['steward']}', oid, 'EXECUTE') "
        "AND pronamespace = 'pg_catalog'::regnamespace"
    )
    names = {name for name, _, _ in callable_}
    assert {*FUNCTIONS - {"trim"}, *OWN} <= names
    assert not [name for name, volatility, rows in callable_ if volatility == "v" or rows]
    assert not names & {"repeat", "lpad", "concat", "format", "string_agg", "textcat"}


@unchanged
def test_the_houses_own_logins_still_call_everything_that_everybody_could(
    shop: StewardShop,
) -> None:
    for login in ("app", "sealer", "owner"):
        (left,) = shop.as_superuser(
            "SELECT count(*) FROM pg_proc AS p LEFT JOIN pg_init_privs AS i "
            "ON i.objoid = p.oid AND i.classoid = 'pg_proc'::regclass "
            f"WHERE i.objoid IS NULL AND NOT has_function_privilege('{LOGINS[login]}', p.oid, 'EXECUTE') "
            "AND p.pronamespace = 'pg_catalog'::regnamespace"
        )
        assert left == (0,)


@unchanged
def test_an_error_holds_no_row_of_the_table(shop: StewardShop) -> None:
    with shop.session() as session, pytest.raises(Refused) as refusal:
        read(session, "SELECT note::int FROM demo_customer WHERE name = 'Globex BV'")
    assert "Assistant" not in str(refusal.value)
    assert "22P02" in str(refusal.value)

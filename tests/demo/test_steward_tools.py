"""data-steward's tools over the real database: what is shown, what is done, how it is taken back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings as django_settings
from pydantic import ValidationError
from pytest_django import Settings

from agents.authoring import (
    Effect,
    EffectClass,
    Preview,
    Retryable,
    Risk,
    Terminal,
    Tool,
    ToolContext,
    Trust,
)
from agents.tools import Undone
from demo.agents import change_rows, data_steward, describe_tables, query
from demo.steward.catalogue import TABLES
from demo.steward.changing import MOST_ROWS
from tests.demo.steward_shop import StewardShop, opened
from tests.harness.environment import TestProcess

MEND = "UPDATE demo_customer SET city = 'Hamburg' WHERE id = 1"
DELETE = "DELETE FROM demo_customer WHERE id = 3"


@pytest.fixture
def shop(test_process: TestProcess, settings: Settings) -> Iterator[StewardShop]:
    for made in opened(test_process.cluster, f"{test_process.database}_tools"):
        settings.COUNTERSIGN = django_settings.COUNTERSIGN.model_copy(
            update={"demo_steward_url": made.url}
        )
        yield made


def context(key: str = "key-1", **more: Any) -> ToolContext:
    return ToolContext(
        run_id=UUID(int=1),
        agent="data-steward",
        initiator="operator",
        idempotency_key=key,
        now=datetime.now(UTC),
        **more,
    )


def ask(tool: Tool, ctx: ToolContext | None = None, **arguments: Any) -> Any:
    """What the tool's function gives for these arguments."""
    return tool.function(ctx or context(), tool.arguments.model_validate(arguments))


def change(sql: str, ctx: ToolContext | None = None) -> Any:
    return ask(change_rows, ctx, sql=sql, why="It is wrong.")


def arguments(sql: str) -> Any:
    return change_rows.arguments.model_validate({"sql": sql, "why": "It is wrong."})


def shown(sql: str, ctx: ToolContext | None = None) -> Preview:
    return change_rows.show(ctx or context("preview"), arguments(sql))


def token(sql: str) -> str:
    assert change_rows.token_reader is not None
    return str(change_rows.token_reader(context("state-token"), arguments(sql)))


def city(shop: StewardShop, number: int = 1) -> Any:
    return shop.as_superuser(f"SELECT city FROM demo_customer WHERE id = {number}")[0][0]


def test_what_the_tools_declare_is_what_the_gate_needs() -> None:
    declared = {
        tool.name: (tool.risk, set(tool.effects), tool.effect_class, tool.trust)
        for tool in data_steward.tools
    }
    assert declared == {
        "describe_tables": (Risk.LOW, set(), EffectClass.IDEMPOTENT, Trust.TRUSTED),
        "query": (Risk.LOW, set(), EffectClass.IDEMPOTENT, Trust.UNTRUSTED),
        "change_rows": (
            Risk.HIGH,
            {Effect.DESTRUCTIVE, Effect.PERSONAL_DATA},
            EffectClass.IDEMPOTENT,
            Trust.TRUSTED,
        ),
    }


def test_the_tables_are_described() -> None:
    described = ask(describe_tables)
    assert {table.name for table in described.tables} == set(TABLES)
    assert "count" in described.functions


def test_a_question_is_answered(shop: StewardShop) -> None:
    found = ask(query, sql="SELECT count(*), sum(total) AS sum FROM demo_order")
    assert (found.columns, found.rows) == (("count", "sum"), ((40, "1540.00"),))
    assert query.result.validate_python(found) == found


def test_what_is_not_on_the_list_never_reaches_a_tool_or_a_person(shop: StewardShop) -> None:
    with pytest.raises(ValidationError, match="pg_sleep is not on the list"):
        query.arguments.model_validate({"sql": "SELECT pg_sleep(9)"})
    with pytest.raises(ValidationError, match="may not be changed"):
        arguments("UPDATE demo_payment SET amount = 1 WHERE id = 1")


def test_what_the_database_refuses_is_an_error_to_learn_from(shop: StewardShop) -> None:
    with pytest.raises(Terminal, match=r"missing FROM-clause entry .*42P01"):
        ask(query, sql="SELECT o.name FROM demo_customer")


def test_without_a_login_the_tools_say_what_is_missing(settings: Settings) -> None:
    settings.COUNTERSIGN = django_settings.COUNTERSIGN.model_copy(update={"demo_steward_url": ""})
    with pytest.raises(Terminal, match="COUNTERSIGN_DEMO_STEWARD_URL names no login"):
        ask(query, sql="SELECT 1")
    assert "COUNTERSIGN_DEMO_STEWARD_URL" in shown(MEND).warnings[0]


def test_a_server_that_is_away_is_tried_again(settings: Settings) -> None:
    settings.COUNTERSIGN = django_settings.COUNTERSIGN.model_copy(
        update={"demo_steward_url": "postgresql://countersign_steward@/none?host=/nowhere"}
    )
    with pytest.raises(Retryable):
        ask(query, sql="SELECT 1")


def test_a_preview_shows_rows_before_and_after_and_changes_nothing(shop: StewardShop) -> None:
    before = shop.state()
    preview = shown(MEND)
    assert shop.state() == before
    assert shop.as_superuser("SELECT count(*) FROM demo_stewardrow") == [(0,)]
    assert preview.title == "Change customer Acme GmbH: city"
    (row,) = preview.rows
    cells = {cell.column: (cell.before, cell.after) for cell in row.cells}
    assert (row.what, cells["city"]) == ("changed", ("Hambrg", "Hamburg"))
    assert cells["name"] == ("Acme GmbH", "Acme GmbH")


def test_the_preview_of_a_deletion_shows_what_goes(shop: StewardShop) -> None:
    preview = shown(DELETE)
    assert preview.title == "Delete customer Acme Gmbh"
    assert preview.warnings == ("1 row is deleted.",)
    (row,) = preview.rows
    assert {cell.column: cell.before for cell in row.cells}["note"] == "twin"
    assert {cell.after for cell in row.cells} == {None}


def test_the_preview_of_several_rows_counts_them(shop: StewardShop) -> None:
    preview = shown("UPDATE demo_order SET customer_note = 'x' WHERE id < 4")
    assert preview.title == "Change 3 rows: 3 orders changed"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE demo_customer SET city = 'x' WHERE name = 'nobody'", "Nothing would change"),
        ("UPDATE demo_customer SET city = city WHERE id = 1", "Nothing would change"),
        ("DELETE FROM demo_customer WHERE id = 1", "Other rows point at this one"),
        ("UPDATE demo_customer SET name = 'Globex BV' WHERE id = 1", "exists already"),
        ("UPDATE demo_order SET delivered_on = NULL WHERE id = 1", "contradict"),
        ("UPDATE demo_order SET customer_note = 'x' WHERE id > 0", "40 rows; 16 is the most"),
    ],
)
def test_a_change_that_would_not_work_says_so_beforehand(
    shop: StewardShop, sql: str, words: str
) -> None:
    preview = shown(sql)
    assert words in preview.warnings[0]
    assert preview.rows == ()


def test_a_change_is_carried_out_once_for_its_key(shop: StewardShop) -> None:
    first = change(MEND)
    assert (first.verb, first.table, first.rows) == ("update", "demo_customer", 1)
    assert city(shop) == "Hamburg"
    shop.as_superuser("UPDATE demo_customer SET city = 'Kiel' WHERE id = 1")
    assert change(MEND) == first
    assert city(shop) == "Kiel"
    assert shop.as_superuser("SELECT key, statement FROM demo_stewardchange") == [("key-1", MEND)]


def test_two_workers_with_one_key_change_a_row_once(shop: StewardShop) -> None:
    sql = "UPDATE demo_customer SET note = 'once' WHERE id = 1 AND note <> 'once'"
    together = threading.Barrier(2)
    results: list[Any] = []

    def work() -> None:
        together.wait()
        results.append(change(sql))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [result.rows for result in results] == [1, 1]
    assert shop.as_superuser("SELECT count(*) FROM demo_stewardrow") == [(1,)]


def test_what_was_approved_is_what_runs_or_nothing_does(shop: StewardShop) -> None:
    approved = token(MEND)
    assert token(MEND) == approved
    shop.as_superuser("UPDATE demo_customer SET note = 'meanwhile' WHERE id = 1")
    assert token(MEND) != approved
    before = shop.state()
    with pytest.raises(Terminal, match="Other rows than those that were approved"):
        change(MEND, context(state_token=approved))
    assert shop.state() == before
    change(MEND, context(state_token=token(MEND)))
    assert city(shop) == "Hamburg"


def test_a_row_more_is_another_world(shop: StewardShop) -> None:
    sql = "UPDATE demo_customer SET note = 'seen' WHERE city = 'Hamburg'"
    approved = token(sql)
    shop.as_superuser("UPDATE demo_customer SET city = 'Hamburg' WHERE id = 2")
    assert token(sql) != approved
    with pytest.raises(Terminal):
        change(sql, context(state_token=approved))


def test_a_row_that_somebody_holds_is_not_waited_for(shop: StewardShop) -> None:
    with psycopg.connect(shop.cluster.superuser_url(shop.database)) as other:
        other.execute("SELECT FROM demo_customer WHERE id = 1 FOR UPDATE")
        with pytest.raises(Terminal, match=r"changing these rows|too long"):
            change(MEND)
    assert city(shop) == "Hambrg"


def test_too_many_rows_are_not_changed(shop: StewardShop) -> None:
    before = shop.state()
    with pytest.raises(Terminal, match=f"{MOST_ROWS} is the most"):
        change("UPDATE demo_order SET customer_note = 'x' WHERE id > 0")
    assert shop.state() == before


def test_a_change_is_read_back(shop: StewardShop) -> None:
    assert change_rows.verifier is not None
    done = change(MEND)
    assert change_rows.verifier(context(), arguments(MEND), done)
    shop.as_superuser("UPDATE demo_customer SET city = 'Kiel' WHERE id = 1")
    assert not change_rows.verifier(context(), arguments(MEND), done)
    assert not change_rows.verifier(context("key-2"), arguments(MEND), done)


def test_a_change_holds_the_rows_that_it_touches(shop: StewardShop) -> None:
    def held(sql: str) -> list[str]:
        assert change_rows.lock_namer is not None
        return sorted(change_rows.lock_namer(arguments(sql)))

    assert held(MEND) == ["row:demo_customer:1"]
    assert held("UPDATE demo_order SET customer_note = 'x' WHERE id < 3") == [
        "row:demo_order:1",
        "row:demo_order:2",
    ]
    assert held("DELETE FROM demo_customer WHERE id = 1") == ["table:demo_customer"]


@pytest.mark.parametrize(
    "sql", [MEND, DELETE, "UPDATE demo_order SET customer_note = 'x' WHERE id < 4"]
)
def test_a_change_is_taken_back(shop: StewardShop, sql: str) -> None:
    before = shop.state()
    done = change(sql)
    assert shop.state() != before
    ctx = context("key-2", undoes=Undone(done.model_dump(mode="json"), "key-1"))
    preview = shown(sql, replace(ctx, idempotency_key="preview"))
    assert len(preview.rows) == done.rows
    undone = data_steward.undos["undo_change_rows"].function(ctx, arguments(sql))
    assert (undone.verb, undone.rows) == ("undo", done.rows)
    assert shop.state() == before
    assert data_steward.undos["undo_change_rows"].function(ctx, arguments(sql)) == undone


def test_the_preview_of_an_undo_turns_the_rows_round(shop: StewardShop) -> None:
    done = change(MEND)
    ctx = context("preview", undoes=Undone(done.model_dump(mode="json"), "key-1"))
    (row,) = data_steward.undos["undo_change_rows"].show(ctx, arguments(MEND)).rows
    assert {c.column: (c.before, c.after) for c in row.cells}["city"] == ("Hamburg", "Hambrg")


def test_what_somebody_changed_since_is_not_taken_back(shop: StewardShop) -> None:
    done = change("UPDATE demo_order SET customer_note = 'x' WHERE id < 4")
    shop.as_superuser("UPDATE demo_order SET customer_note = 'theirs' WHERE id = 2")
    before = shop.state()
    ctx = context("key-2", undoes=Undone(done.model_dump(mode="json"), "key-1"))
    with pytest.raises(Terminal, match="changed since"):
        data_steward.undos["undo_change_rows"].function(
            ctx, arguments("UPDATE demo_order SET customer_note = 'x' WHERE id < 4")
        )
    assert shop.state() == before


def test_the_application_changes_its_tables_unwatched(shop: StewardShop) -> None:
    with psycopg.connect(shop.cluster.url("app", shop.database)) as application:
        application.execute("UPDATE demo_customer SET city = 'Kiel' WHERE id = 1")
    assert shop.as_superuser("SELECT count(*) FROM demo_stewardrow") == [(0,)]


def test_a_change_without_a_key_is_no_change(shop: StewardShop) -> None:
    with (
        shop.session(writing=True) as session,
        pytest.raises(psycopg.Error, match=r"steward\.change"),
    ):
        session.execute(MEND.encode())


def test_every_trial_has_a_key_of_its_own(shop: StewardShop) -> None:
    assert shown(MEND, context(str(uuid4()))) == shown(MEND)
